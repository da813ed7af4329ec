"""A reader's line: a connection of which HTTP has let go, told by plain writes to its transport.

There is no task, no queue and no buffer of ours for a reader. What a socket does not take at once
waits in its transport, and while something does, nothing more is written: the reader is told
later, in one, all that it has missed.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Protocol

from services.deliver.core import frames
from shared.runtime.metrics import count

#: What the transport takes beyond what the kernel does before the reader counts as slow, and ...
WAITING_BYTES = 16 * 1024
#: ... what the kernel takes that it can't send yet. Left alone, it takes megabytes a reader.
UNSENT_BYTES = 64 * 1024


class Host(Protocol):
    """Where lines belong: what all who are told the same have in common."""

    def heartbeat(self) -> bytes:
        """Return what keeps a line in use."""
        ...

    def caught_up(self, line: Line) -> None:
        """*line*, which refused a frame, can take more again."""
        ...

    def left(self, line: Line) -> None:
        """*line* is no more; called once for each that was begun."""
        ...


class Line(asyncio.Protocol):
    """A `Reader` at the other end of a transport, once it has begun."""

    __slots__ = ("_chunked", "_connections", "_ended", "_host", "_takes", "_transport", "_waits")

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._host: Host | None = None
        self._ended = False
        self._takes = True
        self._waits = 0

    def begin(
        self, host: Host, transport: asyncio.Transport, connections: set[Any], *, chunked: bool
    ) -> None:
        """Take *transport* over after a response's head; be one of the server's *connections*."""
        self._host = host
        self._transport = transport
        self._connections = connections
        self._chunked = chunked
        connections.add(self)
        transport.set_protocol(self)
        transport.set_write_buffer_limits(WAITING_BYTES, 0)
        line: Any = transport.get_extra_info("socket")
        with suppress(OSError, AttributeError):  # not every system has it; it is a saving
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        if self._ended:
            self._finish()

    def write(self, frame: bytes) -> bool:
        """Take *frame*, a chunk; False while what was told before waits, and after the end."""
        if not self._takes:
            return False
        self._transport.write(frame if self._chunked else frames.bare(frame))
        return True

    def beat(self) -> None:
        """Keep the line in use; cut it off if nothing of what waits was taken since last time."""
        if self._host is None or self.write(self._host.heartbeat()):
            return
        waits = self._transport.get_write_buffer_size()
        if waits == self._waits:
            count("writethru_readers_cut_total")
            self._transport.abort()
        self._waits = waits

    def end(self) -> None:
        """End the response when what waits is taken; the second time, cut it off."""
        if self._host is None:
            self._ended = True
        elif self._ended:
            self._transport.abort()
        else:
            self._finish()

    def _finish(self) -> None:
        self._ended, self._takes = True, False
        if self._chunked:
            self._transport.write(frames.LAST_CHUNK)
        self._transport.close()

    def pause_writing(self) -> None:
        """Called by the transport: the reader takes less than it is told."""
        self._takes = False
        self._waits = 0

    def resume_writing(self) -> None:
        """Called by the transport: nothing waits any more."""
        if self._host and not self._ended:
            self._takes = True
            self._host.caught_up(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by the transport, once."""
        self._connections.discard(self)
        if self._host:
            self._host.left(self)

    def shutdown(self) -> None:
        """Called by the server, which is about to end; mostly the readers know by then."""
        if not self._ended:
            self.end()
