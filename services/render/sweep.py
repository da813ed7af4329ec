"""The sweeper: renders what no wake-up brought, acks what nobody will, keeps the streams short.

Plain redis-py in its own task, so that it works on when the read loops don't. All that it does
is safe to do twice, or by several at once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.render.core.wakeups import Entry
from services.render.overdue import Overdue
from services.render.patrol import Patrol
from services.render.quarantine import give_back
from services.render.rendering import Rendering
from shared.runtime.clock import monotonic
from shared.runtime.keys import RENDER_GROUP, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.metrics import count
from shared.runtime.redis import LOST
from shared.runtime.scripts import Script

ARTICLES_A_SWEEP = 100
ENTRIES_A_SWEEP = 200
#: An article that can't be rendered is tried ever more seldom, up to this.
LONGEST_REST_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the sweeper waits before it takes something for lost."""

    sweep_seconds: float = 1.0
    tidy_seconds: float = 60.0
    dirty_ms: int = 2_000
    stranded_ms: int = 10_000
    silent_ms: int = 3_600_000
    kept_ms: int = 24 * 3_600_000


class Sweeper:
    """Goes over all lanes, for ever."""

    def __init__(
        self, redis: Redis, lanes: Lanes, rendering: Rendering, timing: Timing | None = None
    ) -> None:
        self._redis = redis
        self._lanes = lanes
        self._rendering = rendering
        self._patrol = Patrol(redis, rendering)
        self._overdue = Overdue(redis)
        self._timing = timing or Timing()
        self._resting: dict[str, tuple[int, float]] = {}
        self._cursors: dict[str, str] = {}
        self._trim = Script("services.render", "trim.lua")
        self._forget = Script("services.render", "forget.lua")

    async def run(self) -> None:
        """Sweep until cancelled; the engine's troubles are waited out."""
        tidied = monotonic()
        while True:
            await asyncio.sleep(self._timing.sweep_seconds)
            await self.sweep()
            if monotonic() - tidied >= self._timing.tidy_seconds:
                tidied = monotonic()
                await self.tidy()

    async def sweep(self) -> None:
        """Go over every lane once: dirty articles, stranded wake-ups, articles without news."""
        await self._each_lane(self._sweep_lane)

    async def tidy(self) -> None:
        """Go over every lane once: old entries, consumers that are gone."""
        await self._each_lane(self._tidy_lane)

    async def _each_lane(self, work: Any) -> None:
        for lane in self._lanes:
            try:
                await work(lane)
            except LOST as error:
                log.warning("sweep.postponed", reason=str(error))
                return
            except RedisError as error:
                log.warning("sweep.failed", lane=lane.tag, reason=str(error))

    async def _sweep_lane(self, lane: Lane) -> None:
        if (trust := self._rendering.trust(lane)).stopped:
            await give_back(self._redis, lane, trust)
            return
        await self._render_dirty(lane)
        await self._patrol.look(lane)
        await self._overdue.look(lane)
        try:
            await self._take_stranded(lane)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            # From the beginning: what is covered is acked, and nothing is skipped.
            await self._redis.xgroup_create(lane.events, RENDER_GROUP, id="0", mkstream=True)
            log.warning("group.recreated", lane=lane.tag)

    async def _render_dirty(self, lane: Lane) -> None:
        async with self._redis.pipeline(transaction=False) as asked:
            asked.time()  # of the node that has the lane
            asked.zrange(lane.dirty, 0, ARTICLES_A_SWEEP + len(self._resting) - 1, withscores=True)
            (seconds, micros), oldest = await asked.execute()
        until = seconds * 1_000 + micros // 1_000 - self._timing.dirty_ms
        slugs = [slug.decode() for slug, since in oldest if since <= until]
        due = [slug for slug in slugs if self._is_due(slug)][:ARTICLES_A_SWEEP]
        await asyncio.gather(*(self._render(slug) for slug in due))

    async def _render(self, slug: str) -> None:
        if await self._rendering.render(slug):
            self._resting.pop(slug, None)
            count("writethru_articles_swept_total")
            return
        failures = self._resting.get(slug, (0, 0.0))[0] + 1
        rest = min(2.0 ** min(failures, 10) * self._timing.sweep_seconds, LONGEST_REST_SECONDS)
        self._resting[slug] = (failures, monotonic() + rest)

    def _is_due(self, slug: str) -> bool:
        return self._resting.get(slug, (0, 0.0))[1] <= monotonic()

    async def _take_stranded(self, lane: Lane) -> None:
        """Render what entries name that somebody took and did not ack; that acks them."""
        start = self._cursors.pop(lane.tag, "-")
        pending: Any = await self._redis.xpending_range(
            lane.events, RENDER_GROUP, start, "+", ENTRIES_A_SWEEP, idle=self._timing.stranded_ms
        )
        ids = [facts["message_id"].decode() for facts in pending]
        if len(ids) == ENTRIES_A_SWEEP:
            self._cursors[lane.tag] = f"({ids[-1]}"
        if ids:
            await self._rendering.take(lane, await self._entries(lane, ids), "stranded")

    async def _entries(self, lane: Lane, ids: list[str]) -> list[Entry]:
        """Read entries by id; one that was trimmed has no fields, and counts as a stray."""
        async with self._redis.pipeline(transaction=False) as reads:
            for entry_id in ids:
                reads.xrange(lane.events, entry_id, entry_id)
            found = await reads.execute()
        return [
            (entry_id, entries[0][1] if entries else {})
            for entry_id, entries in zip(ids, found, strict=True)
        ]

    async def _tidy_lane(self, lane: Lane) -> None:
        kept = self._timing.kept_ms
        events = await self._trim.run(self._redis, [lane.events], [kept, RENDER_GROUP])
        changes = await self._trim.run(self._redis, [lane.changes], [kept, ""])
        gone = await self._forget.run(
            self._redis, [lane.events], [RENDER_GROUP, self._timing.silent_ms]
        )
        count("writethru_entries_trimmed_total", events, stream="events")
        count("writethru_entries_trimmed_total", changes, stream="changes")
        if events or changes or gone:
            log.info("lane.tidied", lane=lane.tag, events=events, changes=changes, consumers=gone)
