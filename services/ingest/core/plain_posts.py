"""Requests that file events and are nothing unusual, read in some microseconds. Pure.

Whatever is not such a request is left to the server's own parser, which knows all of HTTP: what is
read here, it reads alike (a property test compares them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BEGINNING = b"POST /v1/events HTTP/1.1\r\n"
#: A body beyond this comes in so many pieces that nothing is won.
LONGEST_BODY = 512 * 1024
_LONGEST_HEAD = 8 * 1024
_LINES = re.compile(rb"(?:[A-Za-z0-9-]+:[\t\x20-\x7e]*\r\n)+")
_LENGTH = re.compile(rb"[0-9]{1,7}")

#: What these ask for is more than an answer, or ends the connection.
_UNUSUAL = frozenset((b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"))


@dataclass(frozen=True, slots=True)
class Head:
    """Header fields, their names in lower case, and where the body begins and ends."""

    fields: list[tuple[bytes, bytes]]
    begin: int
    end: int


def head_of(data: bytes) -> Head | None:
    """Return the head that *data* begins with.

    None unless it is there to its end, asks to file events, says how long the body is, and has each
    field on one line and there once.
    """
    if not data.startswith(BEGINNING):
        return None
    end = data.find(b"\r\n\r\n", len(BEGINNING) - 2, _LONGEST_HEAD)
    lines = data[len(BEGINNING) : end + 2]
    if end < 0 or not _LINES.fullmatch(lines):
        return None
    fields = []
    for line in lines[:-2].split(b"\r\n"):
        name, _, value = line.partition(b":")
        fields.append((name.lower(), value.strip(b" \t")))
    found = dict(fields)
    length = found.get(b"content-length", b"")
    if len(found) != len(fields) or b"host" not in found or not _LENGTH.fullmatch(length):
        return None
    if not _UNUSUAL.isdisjoint(found) or found.get(b"connection", b"keep-alive") != b"keep-alive":
        return None
    begin = end + 4
    return Head(fields, begin, begin + int(length)) if int(length) <= LONGEST_BODY else None
