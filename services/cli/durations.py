"""How long: the words of an option, such as 30m, 24h or 7d."""

from __future__ import annotations

import re
from datetime import timedelta

from services.cli.failure import misused

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])|0")


def duration(option: str, text: str, *, most: timedelta = timedelta.max) -> timedelta:
    """Return how long *text* says. Raises Failure, naming the option."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise misused(f"--{option} {text!r} is no time; write it as 30m, 24h, 7d or 0")
    wait = timedelta(**{UNITS[found[2] or "s"]: int(found[1] or 0)})
    if wait > most:
        raise misused(f"--{option} can be {most.days}d at most")
    return wait
