"""Streams that are open: how many, for how long, kept awake by one timer, ended together.

What a reader is told goes through `Reader`, which knows nothing of HTTP, so that another way to
write to many sockets at once can take the place of `StreamReader`.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from starlette.types import Receive, Send

from services.deliver.core import frames
from shared.contract.errors import Busy
from shared.runtime.clock import monotonic
from shared.runtime.metrics import move

#: What waits for one reader at most; beyond it, changes are told together once it has caught up.
WAITING_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """*readers* is how many streams one process keeps open; the rest is seconds."""

    readers: int = 10_000
    heartbeat: float = 15.0
    life: float = 900.0


class Reader(Protocol):
    """One who is told of changes."""

    def write(self, frame: bytes) -> bool:
        """Take *frame* whole; False, and nothing is taken, while too much waits already."""
        ...

    def beat(self) -> None:
        """Keep the line in use."""
        ...

    def end(self) -> None:
        """Send what waits, then end cleanly."""
        ...


class StreamReader:
    """A reader at the other end of an ASGI response. *caught_up* is called when nothing waits."""

    def __init__(self) -> None:
        self.caught_up: Callable[[], None] = lambda: None
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._more = asyncio.Event()

    def write(self, frame: bytes) -> bool:
        """Take *frame*; one that is too big is taken where nothing else waits."""
        if self._waiting and self._bytes + len(frame) > WAITING_BYTES:
            return False
        self._waiting.append(frame)
        self._bytes += len(frame)
        self._more.set()
        return True

    def beat(self) -> None:
        """Keep the line in use; a reader that has not taken the last words needs no others."""
        if not self._waiting:
            self.write(frames.HEARTBEAT)

    def end(self) -> None:
        """Send what waits, then end."""
        self._ended = True
        self._more.set()

    async def serve(self, receive: Receive, send: Send) -> None:
        """Send until the end, or until the reader has gone."""
        gone = asyncio.create_task(self._watch(receive))
        try:
            while not gone.done():
                await self._more.wait()
                self._more.clear()
                await self._send_waiting(send, gone)
                if self._ended and not self._waiting:
                    break
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _send_waiting(self, send: Send, gone: asyncio.Task[None]) -> None:
        while self._waiting and not gone.done():
            frame = self._waiting.popleft()
            await send({"type": "http.response.body", "body": frame, "more_body": True})
            self._bytes -= len(frame)
        if not self._ended:
            self.caught_up()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._more.set()


class Streams:
    """All streams of this process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closing = False
        self._until: dict[Reader, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    @contextmanager
    def opened(self, reader: Reader) -> Iterator[None]:
        """Count *reader* among the open streams, and end it when its time has come.

        Raises:
            Busy: there are as many as we keep, or we are about to end.
        """
        if self.closing or len(self._until) >= self.limits.readers:
            raise Busy("There is no room for another live reader; try again shortly.")
        spread = random.uniform(0.8, 1.2)  # noqa: S311 -- spreads load, hides nothing
        self._until[reader] = monotonic() + self.limits.life * spread
        move("writethru_readers", 1)
        try:
            yield
        finally:
            del self._until[reader]
            move("writethru_readers", -1)

    async def keep(self) -> None:
        """Keep all streams awake, and end those that are old, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.heartbeat)
            now = monotonic()
            for reader, until in list(self._until.items()):
                if until <= now:
                    reader.end()
                else:
                    reader.beat()

    def close(self) -> None:
        """End all streams; no more are opened. Readers come back to who takes our place."""
        self.closing = True
        for reader in list(self._until):
            reader.end()


def retry_frame() -> bytes:
    """Return a reader's own time to wait: all of them together would be a stampede."""
    return frames.retry(random.randint(1_000, 5_000))  # noqa: S311 -- likewise
