"""Follows the outboxes of all lanes and tells whoever watches an article, or all of them.

Plain reads from concrete ids: a consumer group would share the entries out among deliver's
processes, and `$` would lose what is added between two reads. Where the entry that we stood at is
gone, entries may be gone that nobody told us of, so the heads of all watched articles are looked
at again; likewise after a lost connection.

One engine is read in one line. In a cluster a command may read one lane, so there is a line for
each, and one node's trouble is that of its lanes alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis

from services.deliver.core.cursors import Place, entry_id, parse_place, unbroken
from services.deliver.faults import described
from services.deliver.outbox import Entry, as_they_stand, parse_entry, read_outboxes
from services.deliver.reading import Reading
from shared.article.article import Mark
from shared.contract.errors import TryAgain
from shared.runtime.clock import monotonic
from shared.runtime.failpoints import failpoint
from shared.runtime.keys import Lane
from shared.runtime.metrics import count
from shared.runtime.redis import BLOCK_MILLISECONDS, LOST, read_together
from shared.runtime.traces import traced

ENTRIES_A_READ = 500
LOOK_SECONDS = 1.0
HEADS_A_READ = 500
LONGEST_PAUSE_SECONDS = 1.0

log = structlog.get_logger()


class Watcher(Protocol):
    """Told the mark that an article has reached; None where there is no article any more."""

    def __call__(self, mark: Mark | None, *, refolded: bool = False) -> None:
        """*refolded*: what was told of the article before may not be so any more."""
        ...


class Listener(Protocol):
    """Hears of every entry, in each lane's order."""

    def heard(self, entry: Entry) -> None:
        """Take one entry; the hub's places have moved past it."""

    def missed(self) -> None:
        """Entries may have been lost on the way."""


@dataclass(slots=True)
class _Line:
    """Outboxes that are read by one command, by their names."""

    lanes: dict[bytes, Lane]
    following: bool = False
    look_at: float = 0.0


class Hub:
    """One per process. *redis* is its own client, which must not retry by itself."""

    def __init__(self, redis: Redis, reading: Reading) -> None:
        self._redis = redis
        self._reading = reading
        self._lines = [
            _Line({lane.changes.encode(): lane for lane in lanes})
            for lanes in read_together(redis, list(reading.lanes))
        ]
        self._watchers: dict[str, Watcher] = {}
        self._listeners: list[Listener] = []
        self._moved = asyncio.Event()
        self.places: dict[str, Place] = {}
        self.changed = 0

    @property
    def following(self) -> bool:
        """Whether we hear of the changes of all lanes."""
        return all(line.following for line in self._lines)

    def watch(self, slug: str, watcher: Watcher) -> None:
        """Tell *watcher* of each change of *slug* that is committed from now on."""
        self._watchers[slug] = watcher

    def unwatch(self, slug: str) -> None:
        """Stop telling of *slug*."""
        del self._watchers[slug]

    def listen(self, listener: Listener) -> None:
        """Tell *listener* of all changes."""
        self._listeners.append(listener)

    async def moved(self) -> None:
        """Wait until the places may have moved."""
        await self._moved.wait()

    async def run(self) -> None:
        """Follow until cancelled. A lost engine is waited for."""
        await asyncio.gather(*map(self._run, self._lines))

    async def _run(self, line: _Line) -> None:
        pause = 0.05
        while True:
            try:
                await self._turn(line)
                pause = 0.05
            except Exception as error:  # noqa: BLE001 -- or pages would go quiet for good
                self._lost(line, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _lost(self, line: _Line, error: Exception) -> None:
        if line.following:
            count("writethru_hub_restarts_total")
        if not isinstance(error, (*LOST, TryAgain)):
            log.error("hub.failed", **described(error))
        elif line.following:
            log.warning("engine.lost", error=type(error).__name__, lanes=len(line.lanes))
        line.following = False

    async def _turn(self, line: _Line) -> None:
        if not line.following or monotonic() >= line.look_at:
            await self._look(line)
        streams: Any = {key: entry_id(self.places[lane.tag]) for key, lane in line.lanes.items()}
        read: Any = await self._redis.xread(streams, ENTRIES_A_READ, BLOCK_MILLISECONDS)
        for key, found in read:
            await self._hear_all(line.lanes[key], found)
        self._tell_of_move()

    async def _hear_all(self, lane: Lane, found: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """Hear what was read of one lane; where there is more, a kill may be among the rest."""
        failpoint("deliver.after_read")
        places = [parse_place(name) for name, _ in found]
        entries = [
            entry
            for place, (_, fields) in zip(places, found, strict=True)
            if (entry := parse_entry(lane, place, fields))
        ]
        behind = self._listeners and len(found) == ENTRIES_A_READ
        killed = await self._reading.killed(each.article for each in entries) if behind else {}
        standing = {entry.place: entry for entry in as_they_stand(entries, killed)}
        for place in places:
            self._hear(lane, place, standing.get(place))

    def _hear(self, lane: Lane, place: Place, entry: Entry | None) -> None:
        self.places[lane.tag] = place
        self.changed += 1
        if entry is None:
            log.warning("entry.unreadable", stream=lane.changes, entry=entry_id(place))
            return
        if entry.notice:
            return
        traces = [entry.trace] if entry.trace else []
        with traced("change deliver", traces, article=entry.article, version=entry.to):
            if watcher := self._watchers.get(entry.article):
                watcher(entry.mark, refolded=entry.refolded)
            for listener in self._listeners:
                listener.heard(entry)

    def _tell_of_move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _look(self, line: _Line) -> None:
        """See whether the outboxes still hold what we stand at; if not, look at the heads."""
        lanes = list(line.lanes.values())
        outboxes = await read_outboxes(self._redis, lanes, self.places)
        broken = [
            (lane, outbox.last)
            for lane, outbox in zip(lanes, outboxes, strict=True)
            if lane.tag not in self.places or not unbroken(self.places[lane.tag], outbox)
        ]
        came_back = not line.following
        if broken:
            self._start_over(dict(broken))
        if broken or came_back:
            await self._look_at_heads(lanes if came_back else [lane for lane, _ in broken])
        if came_back:
            log.info("hub.following", lanes=len(lanes))
        line.following = True
        line.look_at = monotonic() + LOOK_SECONDS

    def _start_over(self, places: dict[Lane, Place]) -> None:
        """Go on from the end of lanes: what is added later than this is read from there."""
        missed = any(lane.tag in self.places for lane in places)
        self.places |= {lane.tag: place for lane, place in places.items()}
        self.changed += 1
        if missed:
            count("writethru_hub_restarts_total")
            log.warning("outbox.broken", lanes=[lane.tag for lane in places])
            for listener in self._listeners:
                listener.missed()

    async def _look_at_heads(self, lanes: Iterable[Lane]) -> None:
        among = set(lanes)
        watched = [slug for slug in self._watchers if self._reading.lanes.of(slug) in among]
        for at in range(0, len(watched), HEADS_A_READ):
            slugs = watched[at : at + HEADS_A_READ]
            for slug, stand in zip(slugs, await self._reading.stands(slugs), strict=True):
                if watcher := self._watchers.get(slug):
                    watcher(stand.mark if stand else None)
