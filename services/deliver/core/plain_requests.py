"""Requests that ask for a page and nothing else, read in some microseconds. Pure.

Whatever is not such a request is left to the server's own parser, which knows all of HTTP: what is
read here, it reads alike (a property test compares them).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE_END = b" HTTP/1.1\r\n"
_END = b"\r\n\r\n"
_TARGETS_TO = 4 + 2_048
_LONGEST = 8 * 1024
_VISIBLE = re.compile(rb"[\x21-\x7e]+")

#: What these ask for takes more than a page that is ready, or ends the connection.
_MORE_THAN_A_PAGE = frozenset(
    (
        *(b"authorization", b"connection", b"content-length", b"expect", b"if-match", b"if-range"),
        *(b"if-unmodified-since", b"range", b"transfer-encoding", b"upgrade"),
    )
)
_KEEP_ALIVE = b"keep-alive"


def target_of(data: bytes) -> bytes | None:
    """Return the target of *data*, if it begins a GET of HTTP/1.1."""
    if not data.startswith(b"GET /"):
        return None
    end = data.find(_LINE_END, 4, _TARGETS_TO)
    return data[4:end] if end > 0 else None


def fields_of(data: bytes, target: bytes) -> Mapping[bytes, bytes] | None:
    """Return the header fields of *data*, which has *target*, by their names in lower case.

    None unless *data* is one whole request, to the byte, without a body, each field on one line
    and there once.
    """
    if not data.endswith(_END) or len(data) > _LONGEST or not _VISIBLE.fullmatch(target):
        return None
    lines = data[len(target) + 15 : -4].split(b"\r\n")
    # A bare line feed ends a line for some: then it is not what it seems to be.
    if data.count(b"\n") != len(lines) + 2:
        return None
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name.replace(b"-", b"").isalnum():
            return None
        found[name.lower()] = value.strip(b" \t")
    if len(found) != len(lines) or b"host" not in found:
        return None
    for name in _MORE_THAN_A_PAGE & found.keys():
        if name != b"connection" or found[name].lower() != _KEEP_ALIVE:
            return None
    return found
