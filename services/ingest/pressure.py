"""Back-pressure: events are refused as `busy` before pages, or the engine, are in danger.

Two things are watched, once a second: how many accepted events wait for a renderer, and how full
the engine is. A full engine refuses what renderers write as well, so that nothing would ever drain;
what is left free when events are refused is theirs. What takes a text back is never refused here:
it is the page that must not stay as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.contract.acts import Killed, Redacted, Retracted
from shared.contract.errors import Busy
from shared.contract.events import Event
from shared.runtime.backlog import read_full, read_waiting
from shared.runtime.keys import Lane
from shared.runtime.lanes import Lanes

LOOK_SECONDS = 1.0
URGENT = (Killed, Redacted, Retracted)

BEHIND = (
    "Pages are {waiting} events behind, and {most} may wait; nothing was stored. Send it later."
)
FULL = "The engine is nearly full, and the rest is for pages; nothing was stored. Send it later."

_log = structlog.get_logger()


class Pressure:
    """Knows whether events may come in: while less than *most* wait, and the engine has room."""

    def __init__(self, redis: Redis, lanes: Lanes, most: int) -> None:
        self._redis = redis
        self._lanes = lanes
        self._most = most
        self._waiting = 0
        self._full: frozenset[Lane] = frozenset()
        self._told = False

    async def run(self) -> None:
        """Look until cancelled; while the engine is away, what was seen last holds."""
        while True:
            try:
                await self.look()
            except (RedisError, OSError) as error:
                _log.debug("pressure.unknown", reason=type(error).__name__)
            except Exception as error:  # noqa: BLE001 -- a fault of ours must not end it for good
                _log.error("pressure.failed", reason=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """See how many events wait, and in which lanes there is no room."""
        self._waiting = await read_waiting(self._redis, self._lanes)
        self._full = frozenset(await read_full(self._redis, self._lanes))
        high = bool(self._full) or self._waiting >= self._most
        if high != self._told:
            tell = _log.warning if high else _log.info
            tell("pressure.changed", high=high, waiting=self._waiting, full=len(self._full))
        self._told = high

    def stored(self, many: int) -> None:
        """Count events that were accepted since the last look."""
        self._waiting += many

    def refusals(self, events: Sequence[Event]) -> Iterator[tuple[int, Busy]]:
        """Yield the places of those *events* that have to come later, and what to say of each.

        What follows one of them in its article has to come later too: it builds on it.
        """
        if self._waiting < self._most and not self._full:
            return
        late: set[str] = set()
        for place, event in enumerate(events):
            fault = self._fault(self._lanes.of(event.subject))
            if fault and (event.subject in late or not isinstance(event.act, URGENT)):
                late.add(event.subject)
                yield place, fault

    def _fault(self, lane: Lane) -> Busy | None:
        if self._waiting >= self._most:
            return Busy(BEHIND.format(waiting=self._waiting, most=self._most))
        return Busy(FULL) if lane in self._full else None
