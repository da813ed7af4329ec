"""How lists are written in the environment: each form is text, taken apart and checked.

Each function leaves alone what is no text, and raises ValueError with the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from shared.contract.addresses import checked_url, networks

EVERY_ORIGIN = "*"

_PORTS = re.compile(r"[0-9]{1,5}( *, *[0-9]{1,5})*")
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


def _of_text(read: Callable[[str], object]) -> Callable[[object], object]:
    return lambda value: read(value) if isinstance(value, str) else value


def _parts(value: str) -> list[str]:
    return [part for each in value.split(",") if (part := each.strip())]


def _ports(value: str) -> object:
    if not _PORTS.fullmatch(value):
        raise ValueError("must be ports divided by commas, such as 443,8443")
    return value.split(",")


def _urls(value: str) -> object:
    return tuple(
        str(checked_url(part, field="each address", anywhere=True)) for part in _parts(value)
    )


def _origins(value: str) -> object:
    found = _parts(value)
    for part in found:
        if part != EVERY_ORIGIN and not _ORIGIN.fullmatch(part):
            raise ValueError(
                "must be origins divided by commas, such as https://www.example.org, without a "
                "path and in small letters; or * for all"
            )
    return tuple(found)


as_networks = _of_text(networks)
as_ports = _of_text(_ports)
as_urls = _of_text(_urls)
as_origins = _of_text(_origins)
