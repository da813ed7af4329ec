"""When a message is sent again, and what an answer means. Pure: chance and time are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

MINUTE, HOUR, DAY = 60, 3_600, 86_400
#: Seconds before each attempt, as Standard Webhooks suggests: ten, over 75 hours and 35 minutes.
PAUSES: tuple[float, ...] = (
    0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
#: A pause is longer by up to this part of it, so that endpoints that failed together don't
#: get everything again at once.
JITTER = 0.1
#: However long a subscriber would like to be left alone.
LONGEST_REST = 24 * HOUR
#: After so long without one success a subscription is disabled.
FAILING_SECONDS = 5 * DAY

Outcome = Literal["delivered", "failed", "gone"]

_GONE = 410


@dataclass(frozen=True, slots=True)
class Schedule:
    """*pauses* before each attempt, in seconds; *patience* with an endpoint that only fails."""

    pauses: tuple[float, ...] = PAUSES
    patience: float = FAILING_SECONDS

    def pause(self, failed: int, chance: float, rest: float = 0.0) -> float | None:
        """Return how long to wait after *failed* attempts; None if there is no other one.

        *chance* is from 0 to 1; *rest* is how long the subscriber asked to be left alone.
        """
        if failed >= len(self.pauses):
            return None
        return max(self.pauses[failed] * (1 + JITTER * chance), rest)


def outcome_of(status: int | None) -> Outcome:
    """Say what an answer's *status* means, None being no answer: a redirection is a failure."""
    if status is not None and 200 <= status < 300:
        return "delivered"
    return "gone" if status == _GONE else "failed"


def rest_of(status: int | None, headers: Mapping[str, str], now: datetime) -> float:
    """Return for how many seconds a subscriber asks to be left alone, within `LONGEST_REST`.

    `Retry-After` may be seconds or a date; what is neither asks for nothing.
    """
    said = headers.get("retry-after", "").strip()
    if outcome_of(status) != "failed" or not said:
        return 0.0
    if said.isascii() and said.isdigit():
        return float(min(int(said[:9]), LONGEST_REST))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    if until.tzinfo is None:
        return 0.0
    return min(max((until - now).total_seconds(), 0.0), float(LONGEST_REST))
