"""The clock: has sources pulled on their articles' cadence, each tick by one process of many.

Taking a tick puts it off for as long as the lease lasts; who has taken it and dies leaves it to be
due again, as the same tick, which files nothing twice. After an outage one tick is done for all
that were missed. What hangs is given up in time, and what fails has room of its own, so that it
takes no other's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.ingest.core.ticks import Grid, Pulse, identity, loaded
from services.ingest.planning import Planner, due_among, member
from services.ingest.sources.running import Outcome, Sources
from shared.article.dates import rfc3339
from shared.contract.errors import TryAgain
from shared.contract.sources import Source
from shared.runtime.clock import chance, monotonic
from shared.runtime.failpoints import failpoint
from shared.runtime.health import Check
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.lanes import Lanes

#: How often to look; a tick is at most so much late while there is room.
LOOK_SECONDS = 0.4
#: How long a source may take, and how long a tick is taken for.
RUN_SECONDS, LEASE_SECONDS = 25.0, 30.0
TICKS_A_LOOK = 100
#: How many sources one process pulls at once: those that fail, and others.
AT_ONCE, AT_ONCE_FAILING = 48, 16

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Job:
    """One tick that was taken, until *lease*; *began* is when, by the engine's clock."""

    keys: ArticleKeys
    name: str
    pulse: Pulse
    lease: int
    began: float


def _never() -> float:
    return 0.0


class Clock:
    """Goes over all lanes, for ever. A test may put it *ahead* of the engine's, in milliseconds."""

    def __init__(
        self, redis: Redis, lanes: Lanes, sources: Sources, ahead: Callable[[], float] = _never
    ) -> None:
        self._redis = redis
        self._lanes = lanes
        self._sources = sources
        self._planner = Planner(redis, sources.records)
        self._ahead = ahead
        self._out: set[asyncio.Task[None]] = set()
        self._failing: set[asyncio.Task[None]] = set()
        self._faults: dict[Lane, str] = {}

    async def run(self) -> None:
        """Go on until cancelled; the engine's troubles are waited out."""
        try:
            await asyncio.gather(*map(self._follow, self._lanes))
        finally:
            tasks = [*self._out, *self._failing]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def check(self) -> Check:
        """Say for `/readyz` how it goes. A source that fails is no reason to send no events."""
        for fault in self._faults.values():
            return Check(True, f"sources are not pulled: {fault}")
        return Check(True, "sources are pulled on their articles' cadence")

    async def settled(self) -> None:
        """Wait until nothing that was taken is under way."""
        while tasks := [*self._out, *self._failing]:
            await asyncio.wait(tasks)

    async def _follow(self, lane: Lane) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.turn(lane)

    async def turn(self, lane: Lane) -> None:
        """Take what is due in *lane*, and begin with it."""
        try:
            await self._look(lane)
        except Exception as error:  # noqa: BLE001 -- or pages would go quiet for good
            fault = type(error).__name__
            if self._faults.get(lane) != fault:
                _log.error("ticks.postponed", lane=lane.tag, reason=fault)
            self._faults[lane] = fault
        else:
            self._faults.pop(lane, None)

    async def _look(self, lane: Lane) -> None:
        async with self._redis.pipeline(transaction=False) as asked:
            asked.time()  # of the node that has the lane
            asked.zrange(lane.ticks, 0, TICKS_A_LOOK - 1, withscores=True)
            (seconds, micros), first = await asked.execute()
        now = seconds * 1e3 + micros / 1e3 + self._ahead()
        for slug, name, due in due_among(first, now):
            keys = lane.article(slug)
            if name:
                await self._take(keys, name, due, now)
            else:
                await self._planner.plan(keys, due, now)

    async def _take(self, keys: ArticleKeys, name: str, due: float, now: float) -> None:
        kept: Any = await self._redis.hget(keys.pulses, name)
        pulse = loaded(kept)
        who = member(keys.slug, name)
        if pulse is None or not pulse.cadence:  # somebody has been at it by hand
            await self._planner.move(keys, who, due, "")
            return
        among = self._failing if pulse.failures else self._out
        if len(among) >= (AT_ONCE_FAILING if pulse.failures else AT_ONCE):
            return
        lease = int(now + LEASE_SECONDS * 1e3)
        if not await self._planner.move(keys, who, due, lease):
            return
        failpoint("ingest.after_tick")
        task = asyncio.create_task(self._pull(_Job(keys, name, pulse, lease, now)))
        among.add(task)
        task.add_done_callback(among.discard)

    async def _pull(self, job: _Job) -> None:
        """Pull a source, and set its next tick; if that fails, the lease ends."""
        try:
            began = monotonic()
            source = await self._source(job)
            if source is None:
                await self._planner.move(job.keys, _who(job), job.lease, "", job.name, "-")
                return
            grid = Grid(job.keys.slug, job.pulse.origin, job.pulse.cadence)
            tick = grid.tick(job.began)
            outcome = await self._run(job.keys.slug, source, tick)
            now = job.began + (monotonic() - began) * 1e3
            await self._settle(job, grid, tick, outcome, now)
        except (RedisError, OSError, TryAgain) as error:
            _log.warning("tick.postponed", article=job.keys.slug, reason=type(error).__name__)

    async def _source(self, job: _Job) -> Source | None:
        """Return what is to be pulled; None if it isn't any more, whoever plans that."""
        if await self._sources.records.status(job.keys.slug) != "live":
            return None
        for listed in await self._sources.records.everyone(job.keys.slug):
            source = listed.source
            same = identity(source.kind, source.url) == job.pulse.source
            if source.name == job.name and same and not listed.word.paused:
                return source
        return None

    async def _run(self, slug: str, source: Source, tick: int) -> Outcome:
        at = rfc3339(datetime.fromtimestamp(tick / 1e3, UTC))
        try:
            async with asyncio.timeout(RUN_SECONDS):
                return await self._sources.run(slug, source, tick=at)
        except TimeoutError:
            return Outcome(failure=f"it took longer than {RUN_SECONDS:g} seconds")
        except (RedisError, OSError, TryAgain):
            raise
        except Exception as error:  # noqa: BLE001 -- a fault of ours: the others go on
            _log.error("tick.failed", article=slug, name=source.name, error=type(error).__name__)
            return Outcome(failure=f"it can't be pulled ({type(error).__name__})")

    async def _settle(self, job: _Job, grid: Grid, tick: int, outcome: Outcome, now: float) -> None:
        pulse, then = job.pulse.done(tick), str(grid.after(now))
        if outcome.failure is not None:
            pulse = job.pulse.failed(now, outcome.failure, chance(), outcome.retry_after)
            then = "" if outcome.gone else str(pulse.rests)
        failpoint("ingest.before_tick_done")
        if not await self._planner.move(job.keys, _who(job), job.lease, then, job.name, pulse):
            _log.info("tick.overtaken", article=job.keys.slug, name=job.name)


def _who(job: _Job) -> str:
    return member(job.keys.slug, job.name)
