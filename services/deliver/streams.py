"""Readers who are connected: how many, for how long, kept awake by one timer, ended together.

What a reader is told goes through `Reader`, which knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from services.deliver.core import frames
from shared.contract.errors import Busy, TooOften
from shared.runtime.clock import monotonic
from shared.runtime.metrics import count, move

#: After how many seconds who was refused may come back: a full house empties slowly.
COME_BACK = (5, 15)
#: So many readers are kept awake in one go; then others have a turn.
BEATS_A_TURN = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """*readers* is how many one process keeps, *an_address* how many of them from one address.

    The rest is seconds.
    """

    readers: int = 10_000
    an_address: int = 1_000
    heartbeat: float = 15.0
    life: float = 900.0


class Reader(Protocol):
    """One who is told of changes."""

    def write(self, frame: bytes) -> bool:
        """Take *frame* whole; False, and nothing is taken, while what was told before waits."""
        ...

    def beat(self) -> None:
        """Keep the line in use."""
        ...

    def end(self) -> None:
        """End cleanly; the second time, at once."""
        ...


class Streams:
    """All readers of this process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closing = False
        self._until: dict[Reader, float] = {}
        self._crowds: dict[Reader, str] = {}
        self._from: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._until)

    def enter(self, reader: Reader, host: str | None) -> None:
        """Count *reader*, who comes from *host*, and end it when its time has come.

        Raises:
            Busy: there are as many as we keep, or we are about to end.
            TooOften: there are as many as one address may have.
        """
        if self.closing or len(self._until) >= self.limits.readers:
            count("writethru_readers_refused_total", why="full")
            raise Busy("There is no room for another live reader; try again shortly.", _after())
        crowd = crowd_of(host)
        if crowd and self._from[crowd] >= self.limits.an_address:
            count("writethru_readers_refused_total", why="address")
            raise TooOften("There are too many live readers from this address.", _after())
        if crowd:
            self._from[crowd] += 1
            self._crowds[reader] = crowd
        spread = random.uniform(0.8, 1.2)  # noqa: S311 -- spreads load, hides nothing
        self._until[reader] = monotonic() + self.limits.life * spread
        move("writethru_readers", 1)

    def leave(self, reader: Reader) -> None:
        """Forget *reader*."""
        del self._until[reader]
        move("writethru_readers", -1)
        if crowd := self._crowds.pop(reader, None):
            self._from[crowd] -= 1
            if not self._from[crowd]:
                del self._from[crowd]

    @contextmanager
    def opened(self, reader: Reader, host: str | None) -> Iterator[None]:
        """Count *reader* for as long as this lasts; raises as `enter`."""
        self.enter(reader, host)
        try:
            yield
        finally:
            self.leave(reader)

    async def keep(self) -> None:
        """Keep all readers' lines in use, and end those that are old, until cancelled."""
        while True:
            await asyncio.sleep(self.limits.heartbeat)
            for place, (reader, until) in enumerate(list(self._until.items()), start=1):
                if place % BEATS_A_TURN == 0:
                    await asyncio.sleep(0)
                if reader not in self._until:
                    continue
                if until <= monotonic():
                    reader.end()
                else:
                    reader.beat()

    def close(self) -> None:
        """End all readers' lines; no more are opened. They come back to who takes our place."""
        self.closing = True
        for reader in list(self._until):
            reader.end()


def crowd_of(host: str | None) -> str:
    """Return with whom a reader from *host* is counted: a network of IPv6 is one customer's.

    Nobody from within our own networks is counted, as those are proxies, with all the world
    behind them.
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_global:
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _after() -> int:
    return random.randint(*COME_BACK)  # noqa: S311 -- spreads load, hides nothing


def retry_frame() -> bytes:
    """Return a reader's own time to wait: all of them together would be a stampede."""
    return frames.retry(random.randint(1_000, 5_000))  # noqa: S311 -- likewise
