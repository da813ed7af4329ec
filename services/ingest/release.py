"""Releases held events when they are due: any ingest process that lives does it.

release.lua decides, by the engine's clock, and does it in one step; so processes may race, die
and come back, and each event is released once. Here is only when to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shared.runtime.clock import monotonic
from shared.runtime.failpoints import failpoint
from shared.runtime.health import Check
from shared.runtime.keys import Lane
from shared.runtime.lanes import Lanes
from shared.runtime.metrics import count
from shared.runtime.scripts import Script

#: How often to look: what is held for less time than this is released up to so much late.
LOOK_SECONDS = 0.4
SHORTEST_SECONDS = 0.01
#: Releases that are later than this are mentioned by whoever is asked.
NOTABLE_SECONDS = 3.0
#: An article whose records are damaged is tried ever so often.
REST_SECONDS = 10.0
ARTICLES_A_LOOK = 100

#: The files of the script that releases what is due, or what an editor names.
RELEASE = ("filing.lua", "release.lua")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one held event, as release.lua says: `released` with its seq, for example."""

    result: str
    name: str
    detail: str


async def release(
    redis: Redis, script: Script, lane: Lane, slug: str, name: str = ""
) -> list[Outcome]:
    """Release what is due of *slug*, or the one that an editor *name*s, with what builds on it."""
    found: Any = await script.run(redis, lane.article(slug).filing, (slug, name))
    return [Outcome(*(part.decode() for part in outcome)) for outcome in found]


class Releaser:
    """Goes over all lanes, for ever; what is wrong with one keeps no other back."""

    def __init__(self, redis: Redis, lanes: Lanes) -> None:
        self._redis = redis
        self._lanes = lanes
        self._script = Script("services.ingest", *RELEASE)
        self._resting: dict[str, float] = {}
        self._faults: dict[Lane, str] = {}
        self._overdue: dict[Lane, float] = {}

    async def run(self) -> None:
        """Release until cancelled; the engine's troubles are waited out."""
        await asyncio.gather(*map(self._follow, self._lanes))

    def check(self) -> Check:
        """Say for `/readyz` whether held events are released by this process."""
        for fault in self._faults.values():
            return Check(False, fault)
        overdue = max(self._overdue.values(), default=0.0)
        if overdue < NOTABLE_SECONDS:
            return Check(True, "held events are released when they are due")
        return Check(True, f"an article's held events are due for {overdue:.0f} s; see logs")

    async def _follow(self, lane: Lane) -> None:
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = await self.turn(lane)

    async def turn(self, lane: Lane) -> float:
        """Release what is due in *lane*; return in how many seconds to look again."""
        try:
            pause = await self._look(lane)
        except (RedisError, OSError) as error:
            self._trouble(lane, f"can't be done ({type(error).__name__})")
            return LOOK_SECONDS
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not end it for good
            self._trouble(lane, f"fails ({type(error).__name__})")
            return LOOK_SECONDS
        self._faults.pop(lane, None)
        return pause

    def _trouble(self, lane: Lane, fault: str) -> None:
        if self._faults.get(lane) != fault:
            _log.error("release.postponed", lane=lane.tag, reason=fault)
        self._faults[lane] = fault

    async def _look(self, lane: Lane) -> float:
        async with self._redis.pipeline(transaction=False) as asked:
            asked.time()  # of the node that has the lane
            asked.zrange(lane.held, 0, ARTICLES_A_LOOK - 1, withscores=True)
            (seconds, micros), articles = await asked.execute()
        now = seconds * 1e3 + micros / 1e3
        due = [slug.decode() for slug, at in articles if at <= now]
        for slug in due:
            if self._resting.get(slug, 0.0) <= monotonic():
                await self._release(lane, slug)
        times: list[float] = [(at - now) / 1e3 for _, at in articles]
        self._overdue[lane] = max([0.0, *(-each for each in times)])
        if len(due) == ARTICLES_A_LOOK:
            return SHORTEST_SECONDS
        return max(min([LOOK_SECONDS, *(each for each in times if each > 0)]), SHORTEST_SECONDS)

    async def _release(self, lane: Lane, slug: str) -> None:
        try:
            outcomes = await release(self._redis, self._script, lane, slug)
            failpoint("ingest.after_release")
            tell(slug, outcomes)
        except ResponseError as error:
            self._resting[slug] = monotonic() + REST_SECONDS
            _log.error("release.failed", article=slug, reason=type(error).__name__)
        else:
            self._resting.pop(slug, None)


def tell(slug: str, outcomes: Sequence[Outcome]) -> None:
    """Count and log what became of held events, but nothing of what they say."""
    for outcome in outcomes:
        event_id, _, source = outcome.name.partition(" ")
        named = {"article": slug, "id": event_id, "source": source}
        count("writethru_releases_total", result=outcome.result)
        if outcome.result == "released":
            _log.info("event.released", seq=int(outcome.detail), **named)
        else:
            _log.warning("event.stopped", code=outcome.detail, **named)
