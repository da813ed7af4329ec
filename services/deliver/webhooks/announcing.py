"""From the outboxes to the subscriptions: each is noted to lack what has changed.

One process at a time does it, in the order of each lane, from a place that a consumer group of
the outbox keeps: so nothing that is still to be read is trimmed, and whoever takes over goes on
where it was. Done twice it changes nothing. Where entries are gone all the same, the articles
themselves are looked at (`catching_up`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.deliver.core.cursors import START, Place, entry_id, parse_place, unbroken
from services.deliver.core.subscription import NEVER_COLLAPSED
from services.deliver.faults import described
from services.deliver.hub import Hub
from services.deliver.outbox import ENTRIES_A_READ, Entry, read_entries, read_outboxes
from services.deliver.reading import Reading
from services.deliver.webhooks.catching_up import CatchingUp
from services.deliver.webhooks.registry import Registry, Subscribed
from shared.contract.canonical import short
from shared.contract.errors import TryAgain
from shared.contract.notices import OVERDUE
from shared.runtime.clock import monotonic
from shared.runtime.keys import WEBHOOKS_GROUP, Lane
from shared.runtime.lease import Lease
from shared.runtime.metrics import count
from shared.runtime.redis import LOST
from shared.runtime.scripts import Script

LOOK_SECONDS = 1.0
ARTICLES_A_SCRIPT = 200
_MARK = Script("services.deliver.webhooks", "mark.lua")
#: Beyond every entry that an outbox can have.
_END: Place = (2**63, 0)

log = structlog.get_logger()


class Announcing:
    """One per process; *lease* says whose turn it is. *wake* is called when there is news."""

    def __init__(
        self,
        redis: Redis,
        reading: Reading,
        hub: Hub,
        registry: Registry,
        lease: Lease,
        catching_up: CatchingUp,
    ) -> None:
        self._redis = redis
        self._reading = reading
        self._hub = hub
        self._registry = registry
        self._lease = lease
        self._catching_up = catching_up
        self._places: dict[str, Place | None] | None = None
        self._look_at = 0.0
        self.news = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled; the engine's troubles are waited out."""
        while True:
            await self._wait()
            try:
                await self._registry.refresh()
                while await self._turn():
                    pass
            except Exception as error:  # noqa: BLE001 -- or subscribers would hear no more
                self._places = None
                if not isinstance(error, (*LOST, RedisError, TryAgain)):
                    log.error("webhooks.failed", **described(error))
                await asyncio.sleep(LOOK_SECONDS)

    async def _wait(self) -> None:
        """Wait until there may be something to tell, or a new subscription to hear of.

        Where nobody has subscribed, or another process tells, a change costs nothing: what is
        there by the time that somebody has is read from the place that we have reached.
        """
        if self._lease.held and self._registry.subscribed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._hub.moved()
        else:
            await asyncio.sleep(LOOK_SECONDS)

    async def _turn(self) -> bool:
        """Tell of what there is; return whether there may be more."""
        if not self._lease.held:
            self._places = None
            return False
        if self._places is None:
            self._places, self._look_at = await self._read_places(), 0.0
        lanes = self._moved(self._places)
        if not lanes:
            return False
        lost = [lane for lane in lanes if self._places[lane.tag] is None]
        if lost and not self._registry.subscribed:
            self._places = None  # nobody has ever subscribed
            return False
        followed = {tag: place for tag, place in self._places.items() if place is not None}
        if lost:
            await self._catch_up(lost, {})
        return await self._follow([lane for lane in lanes if lane.tag in followed], followed)

    def _moved(self, places: Mapping[str, Place | None]) -> Sequence[Lane]:
        """Return the lanes of which the hub has heard more than we; now and then, all of them."""
        lanes = list(self._reading.lanes)
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + LOOK_SECONDS
            return lanes
        heard = self._hub.places
        return [lane for lane in lanes if heard.get(lane.tag, START) > (places[lane.tag] or START)]

    async def _follow(self, lanes: Sequence[Lane], places: Mapping[str, Place]) -> bool:
        entries = await read_entries(self._redis, lanes, places, {lane.tag: _END for lane in lanes})
        # Afterwards: what is there now was not trimmed before we read what follows it.
        outboxes = await read_outboxes(self._redis, lanes, places)
        broken = [
            lane
            for lane, outbox in zip(lanes, outboxes, strict=True)
            if not unbroken(places[lane.tag], outbox)
        ]
        tags = {lane.tag for lane in broken}
        if broken:
            await self._catch_up(broken, places)
        whole = [entry for entry in entries if entry.lane not in tags]
        if whole:
            # Afterwards, too: who subscribed before an entry was there is to hear of it.
            await self._registry.refresh()
            await self._announce(whole)
            await self._keep_places(whole)
        return len(entries) >= ENTRIES_A_READ

    async def _announce(self, entries: Sequence[Entry]) -> None:
        for subscribed in list(self._registry.subscribed.values()):
            rows = [row for entry in entries if (row := row_of(subscribed, entry))]
            for at in range(0, len(rows), ARTICLES_A_SCRIPT):
                some = [part for row in rows[at : at + ARTICLES_A_SCRIPT] for part in row]
                await _MARK.run(self._redis, subscribed.keys.working, some)
        self.news.set()

    async def _keep_places(self, entries: Iterable[Entry]) -> None:
        reached: dict[str, Place] = {}
        for entry in entries:
            reached[entry.lane] = max(entry.place, reached.get(entry.lane, START))
        async with self._redis.pipeline(transaction=False) as kept:
            for tag, place in reached.items():
                kept.xgroup_setid(Lane(tag).changes, WEBHOOKS_GROUP, entry_id(place))
            await kept.execute()
        assert self._places is not None  # noqa: S101 -- it is our turn
        self._places |= reached

    async def _catch_up(self, lanes: Sequence[Lane], places: Mapping[str, Place]) -> None:
        """Look at the articles of *lanes*, and go on from where their outboxes end."""
        log.warning("webhooks.catching_up", lanes=[lane.tag for lane in lanes])
        count("writethru_hub_restarts_total")
        ends = await read_outboxes(self._redis, lanes, {})
        await self._catching_up.look(lanes, places, list(self._registry.subscribed.values()))
        reached = {lane.tag: end.last for lane, end in zip(lanes, ends, strict=True)}
        for lane in lanes:
            await _set_group(self._redis, lane, reached[lane.tag])
        assert self._places is not None  # noqa: S101 -- it is our turn
        self._places |= reached
        self.news.set()

    async def _read_places(self) -> dict[str, Place | None]:
        lanes = list(self._reading.lanes)
        async with self._redis.pipeline(transaction=False) as asked:
            for lane in lanes:
                asked.xinfo_groups(lane.changes)
            answers: list[Any] = await asked.execute(raise_on_error=False)
        return {lane.tag: _place(answer) for lane, answer in zip(lanes, answers, strict=True)}


def row_of(subscribed: Subscribed, entry: Entry) -> tuple[str, ...] | None:
    """Return what mark.lua is told of *entry* for one subscription; None if that is nothing."""
    record = subscribed.record
    if not subscribed.may_hear_of(entry.article):
        return None
    if subscribed.joined_after(entry.lane, entry.place):
        return None
    if entry.notice:
        return _overdue_row(subscribed, entry)
    if not (entry.refolded or any(map(record.wants, entry.kinds or (None,)))):
        return None
    asked = entry.refolded or any(map(record.asks_for, entry.kinds or (None,)))
    how = "all" if asked and _is_about(record, entry) else "known"
    urgent = "1" if NEVER_COLLAPSED.intersection(entry.kinds) else ""
    before = str(entry.start)
    after = f"{entry.to}.{short(entry.chain)}"
    return entry.article, before, after, urgent, "anew" if entry.refolded else how


def _overdue_row(subscribed: Subscribed, entry: Entry) -> tuple[str, ...] | None:
    """Return the same for one that is overdue, which is told to those who ask for it by name."""
    record = subscribed.record
    if OVERDUE not in record.kinds or not _is_about(record, entry):
        return None
    return entry.article, f"{entry.to}.{short(entry.chain)}", str(entry.since or 0), "", "overdue"


def _is_about(record: Any, entry: Entry) -> bool:
    """Whether *entry*'s article is one of those asked for; what is left of a killed one may be."""
    head = orjson.loads(entry.head)
    return entry.killed or record.is_about(head.get("section"), head.get("tags", ()))


def _place(answer: Any) -> Place | None:
    if isinstance(answer, ResponseError) and "no such key" in str(answer):
        return None
    if isinstance(answer, Exception):
        raise answer
    for group in answer:
        if group["name"] == WEBHOOKS_GROUP.encode():
            return parse_place(group["last-delivered-id"])
    return None


async def _set_group(redis: Redis, lane: Lane, place: Place) -> None:
    try:
        await redis.xgroup_create(lane.changes, WEBHOOKS_GROUP, entry_id(place), mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
        await redis.xgroup_setid(lane.changes, WEBHOOKS_GROUP, entry_id(place))
