"""Server-sent events as bytes (WHATWG HTML, 9.2), each a chunk (RFC 9112, 7.1).

Made once for all who get them, down to what HTTP/1.1 puts around them.
"""

from __future__ import annotations


def chunk(data: bytes) -> bytes:
    """Return *data*, which isn't empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def bare(framed: bytes) -> bytes:
    """Return what is in a chunk, for readers whose HTTP knows none."""
    return framed[framed.index(b"\n") + 1 : -2]


#: Nothing to a reader's program, but proxies see that the line is in use.
HEARTBEAT = chunk(b":\n\n")
#: The end, where the response has chunks.
LAST_CHUNK = b"0\r\n\r\n"


def event(kind: str, data: bytes, identifier: str = "") -> bytes:
    """Return one event; *data* is JSON on one line, *identifier* what a reader resumes from.

    Raises ValueError if a part holds a line break, which would end it early.
    """
    if any(mark in data for mark in (b"\n", b"\r")):
        raise ValueError("the data of an event must be one line")
    head = _id(identifier) if identifier else b""
    return chunk(b"%bevent: %b\ndata: %b\n\n" % (head, kind.encode(), data))


def place(identifier: str) -> bytes:
    """Return what tells a reader from where to resume, and nothing else; a heartbeat, too."""
    return chunk(_id(identifier) + b"\n")


def retry(milliseconds: int) -> bytes:
    """Return the field that tells how long to wait before connecting again."""
    return chunk(b"retry: %d\n\n" % milliseconds)


def _id(identifier: str) -> bytes:
    if any(mark in identifier for mark in ("\n", "\r", "\0")):
        raise ValueError("the id of an event must be one line")
    return b"id: %b\n" % identifier.encode()
