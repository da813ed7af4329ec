"""Parts of a representation (RFC 9110, 14): one range, of the bytes as they are sent. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_BYTES = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


class Part(NamedTuple):
    """Bytes *first* to *last*, both counted from 0 and both in it."""

    first: int
    last: int


class UnsatisfiableError(Exception):
    """The range begins beyond the end."""


def part_of(header: str, size: int) -> Part | None:
    """Return the part that *header* asks for of *size* bytes; None: all of them.

    Several ranges at once, and what is no range of bytes, are not listened to, as RFC 9110 allows.

    Raises:
        UnsatisfiableError: there is no such part.
    """
    found = _BYTES.fullmatch(header.strip().lower())
    if found is None or header.count("-") != 1:
        return None
    first, last = found.groups()
    if not first:
        return _suffix(last, size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise UnsatisfiableError
    return Part(int(first), min(int(last), size - 1) if last else size - 1)


def _suffix(count: str, size: int) -> Part | None:
    if not count:
        return None
    if not int(count) or not size:
        raise UnsatisfiableError
    return Part(max(0, size - int(count)), size - 1)
