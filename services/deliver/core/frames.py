"""Server-sent events as bytes (WHATWG HTML, 9.2). Made once for all who get them."""

from __future__ import annotations

#: Nothing to a reader's program, but proxies see that the line is in use.
HEARTBEAT = b":\n\n"


def event(kind: str, data: bytes, identifier: str = "") -> bytes:
    """Return one event; *data* is JSON on one line, *identifier* what a reader resumes from.

    Raises ValueError if a part holds a line break, which would end it early.
    """
    if any(mark in data for mark in (b"\n", b"\r")):
        raise ValueError("the data of an event must be one line")
    if any(mark in identifier for mark in ("\n", "\r", "\0")):
        raise ValueError("the id of an event must be one line")
    head = f"id: {identifier}\nevent: {kind}\n" if identifier else f"event: {kind}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def retry(milliseconds: int) -> bytes:
    """Return the field that tells how long to wait before connecting again."""
    return f"retry: {milliseconds}\n\n".encode()
