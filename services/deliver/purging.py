"""Has a cache let go of what has changed: once a change, whichever process does it.

Of all processes, one at a time has the lease of a cache. It follows the outboxes from the place
that the engine keeps for that cache, so that whoever comes next goes on there, at worst with
some changes that were told already. A cache that doesn't answer is asked again, ever more seldom,
and keeps nobody else waiting; what waits are keys, each once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import Redis

from services.deliver.core.caching import keys_of_change
from services.deliver.core.cursors import START, Place, entry_id, parse_place
from services.deliver.core.purging import (
    Cache,
    Call,
    Old,
    Waiting,
    call,
    most_keys,
    taken_back,
)
from services.deliver.faults import described
from services.deliver.hub import Hub
from services.deliver.outbox import Entry, read_entries
from shared.contract.errors import TryAgain
from shared.runtime.clock import new_name, now
from shared.runtime.dialing import Unreachable
from shared.runtime.fetching import Outbound
from shared.runtime.health import Check
from shared.runtime.keys import Lane
from shared.runtime.lanes import Lanes
from shared.runtime.lease import Lease
from shared.runtime.metrics import count, observe, show
from shared.runtime.outlet_keys import PurgeKeys
from shared.runtime.redis import LOST
from shared.runtime.settings import Settings

LOOK_SECONDS = 1.0
#: Between tries, while a cache does not let go.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 30.0

_LOST: tuple[type[Exception], ...] = (*LOST, TryAgain)

log = structlog.get_logger()


class Purging:
    """What one process does for one cache, which listens at *url*."""

    def __init__(
        self,
        redis: Redis,
        lanes: Lanes,
        hub: Hub,
        outbound: Outbound,
        lease: Lease,
        url: str,
        cache: Cache,
        token: str | None,
    ) -> None:
        self._redis = redis
        self._lanes = lanes
        self._hub = hub
        self._outbound = outbound
        self._lease = lease
        self._url = url
        self._cache = cache
        self._token = token
        self._keys = PurgeKeys(url)
        self._places: dict[str, Place] | None = None
        self._noted: Mapping[str, Place] = {}
        self._waiting = Waiting()
        self._pause = 0.0
        self._trouble = ""

    @property
    def name(self) -> str:
        """What the cache is called where it is spoken of."""
        return self._keys.name

    async def run(self) -> None:
        """Do it until cancelled, whenever it is this process's turn."""
        keeping = asyncio.create_task(self._lease.keep())
        try:
            while True:
                try:
                    await self._turn()
                except _LOST:
                    await asyncio.sleep(LOOK_SECONDS)
                except Exception as error:  # noqa: BLE001 -- or caches would keep what is old
                    log.error("purge.broken", **described(error))
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    def check(self) -> Check:
        """Say how it goes. Nobody else can do better, so it never ends readiness."""
        if not self._lease.held:
            return Check(True, "another process tells the cache what has changed")
        if not self._trouble:
            return Check(True, "the cache has let go of what has changed")
        return Check(True, f"the cache is behind by {self._behind():.0f} s: {self._trouble}")

    def _behind(self) -> float:
        since = self._waiting.since
        return max(0.0, _milliseconds() - since) / 1_000 if since is not None else 0.0

    async def _turn(self) -> None:
        """Hear what is new, tell the cache, and note how far that got."""
        if not self._lease.held:
            self._places = None
            self._waiting = Waiting()
            self._show()
            await asyncio.sleep(self._lease.seconds / 4)
            return
        if self._places is None:
            self._places = await self._kept()
        await self._hear(self._places)
        told = await self._tell()
        if not self._waiting.untold:
            await self._keep(self._places)
        self._show()
        if not told or self._pause:
            await self._rest()

    def _show(self) -> None:
        show("writethru_purge_waiting_seconds", self._behind(), cache=self._keys.name)

    async def _rest(self) -> None:
        """Wait for a change; after a failure, for a while."""
        if self._pause:
            await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))  # noqa: S311 -- spreads load
            return
        if self._places and self._ahead(self._places):  # it moved while we were at it
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hub.moved(), LOOK_SECONDS)

    async def _kept(self) -> dict[str, Place]:
        """Return the places up to which the cache was told; the first time, it is none."""
        found: Any = await self._redis.hgetall(self._keys.places)
        return {tag.decode(): parse_place(place) for tag, place in found.items()}

    async def _keep(self, places: Mapping[str, Place]) -> None:
        if places and places != self._noted:
            await self._redis.hset(
                self._keys.places, mapping={tag: entry_id(at) for tag, at in places.items()}
            )
            self._noted = dict(places)

    async def _hear(self, places: dict[str, Place]) -> None:
        """Take what was added to the outboxes since."""
        ends = dict(self._hub.places)
        ahead = self._ahead(places)
        if not ahead or self._waiting.full:
            return
        # An outbox that lost its end in a failover is heard from its beginning.
        after = {lane.tag: min(places.get(lane.tag, START), ends[lane.tag]) for lane in ahead}
        entries = await read_entries(self._redis, ahead, after, ends)
        for entry in entries:
            if not entry.notice:
                self._waiting.add(*olds(entry))
            places[entry.lane] = entry.place
        seen = {entry.lane for entry in entries}
        places |= {lane.tag: ends[lane.tag] for lane in ahead if lane.tag not in seen}

    def _ahead(self, places: Mapping[str, Place]) -> list[Lane]:
        """Return the lanes whose outboxes are elsewhere than *places*."""
        ends = self._hub.places
        known = [lane for lane in self._lanes if lane.tag in ends]
        return [lane for lane in known if places.get(lane.tag, START) != ends[lane.tag]]

    async def _tell(self) -> bool:
        """Make one call, if there is one to make; return whether there was."""
        taken = self._waiting.take(_milliseconds(), most_keys(self._cache))
        if not taken:
            return False
        asked = call(self._cache, [old.key for old in taken], self._token)
        among = set(asked.keys)
        self._waiting.add(*(old for old in taken if old.key not in among))
        self._settle([old for old in taken if old.key in among], await self._ask(asked))
        return True

    async def _ask(self, asked: Call) -> str:
        """Return what went wrong; nothing if the cache has let go."""
        try:
            answer = await self._outbound.send(asked.method, self._url, asked.headers, asked.body)
        except Unreachable as error:
            return error.reason
        return "" if 200 <= answer.status < 300 else f"it answers {answer.status}"

    def _settle(self, olds: Sequence[Old], trouble: str) -> None:
        count("writethru_purges_total", result="failed" if trouble else "done")
        at = _milliseconds()
        if trouble:
            self._waiting.add(*olds)
            self._pause = min(max(self._pause * 2, SHORTEST_PAUSE), LONGEST_PAUSE)
        else:
            self._waiting.told(olds, at)
            self._pause = 0.0
            for old in olds:
                if old.again is None:
                    observe("writethru_purge_seconds", max(0, at - old.since) / 1_000)
        if trouble and trouble != self._trouble:
            log.warning("purge.failed", cache=self._keys.name, reason=trouble)
        elif self._trouble and not trouble:
            log.info("purge.resumed", cache=self._keys.name)
        self._trouble = trouble


def purgings(
    settings: Settings, redis: Redis, lanes: Lanes, hub: Hub, outbound: Outbound
) -> list[Purging]:
    """Return one for each cache that the settings name. *outbound* may call anywhere."""
    name = new_name()
    return [
        Purging(
            *(redis, lanes, hub, outbound, Lease(redis, PurgeKeys(url).lease, name)),
            *(url, settings.purge_cache, settings.purge_token),
        )
        for url in settings.purge_url or ()
    ]


def olds(entry: Entry) -> list[Old]:
    """Return what *entry*'s commit has made old."""
    urgent = entry.killed or taken_back(entry.kinds)
    since, _ = entry.place
    return [Old(key, since, urgent) for key in keys_of_change(entry.article, killed=entry.killed)]


def _milliseconds() -> int:
    return int(now().timestamp() * 1_000)
