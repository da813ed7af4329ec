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
#: Without what ends a line for some, and for others not.
_LINES = re.compile(rb"(?:[A-Za-z0-9-]+:[\t\x20-\x7e]*\r\n)+")

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
    lines = data[len(target) + 15 : -2]
    if not _LINES.fullmatch(lines):
        return None
    found: dict[bytes, bytes] = {}
    fields = lines[:-2].split(b"\r\n")
    for line in fields:
        name, _, value = line.partition(b":")
        found[name.lower()] = value.strip(b" \t")
    if len(found) != len(fields) or b"host" not in found:
        return None
    for name in _MORE_THAN_A_PAGE & found.keys():
        if name != b"connection" or found[name].lower() != _KEEP_ALIVE:
            return None
    return found
