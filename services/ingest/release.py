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
from shared.runtime.health import Check
from shared.runtime.keys import Lane
from shared.runtime.lanes import Lanes
from shared.runtime.metrics import count
from shared.runtime.scripts import Script

#: How often to look; a release that is known of is not waited for longer than it takes.
LOOK_SECONDS = 0.25
SHORTEST_PAUSE_SECONDS = 0.01
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
    """Goes over all lanes, for ever."""

    def __init__(self, redis: Redis, lanes: Lanes) -> None:
        self._redis = redis
        self._lanes = lanes
        self._script = Script("services.ingest", *RELEASE)
        self._resting: dict[str, float] = {}
        self._fault: str | None = None
        self._overdue = 0.0

    async def run(self) -> None:
        """Release until cancelled; the engine's troubles are waited out."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            pause = await self.turn()

    def check(self) -> Check:
        """Say for `/readyz` whether held events are released by this process."""
        if self._fault:
            return Check(False, self._fault)
        if self._overdue < NOTABLE_SECONDS:
            return Check(True, "held events are released when they are due")
        return Check(True, f"an article's held events are due for {self._overdue:.0f} s; see logs")

    async def turn(self) -> float:
        """Release what is due; return for how many seconds nothing will be."""
        try:
            pause = await self.look()
        except (RedisError, OSError) as error:
            self._trouble(f"can't be done ({type(error).__name__})")
            return LOOK_SECONDS
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not end it for good
            self._trouble(f"fails ({type(error).__name__})")
            return LOOK_SECONDS
        self._fault = None
        return pause

    def _trouble(self, fault: str) -> None:
        if self._fault != fault:
            _log.error("release.postponed", reason=fault)
        self._fault = fault

    async def look(self) -> float:
        """Go over every lane once, and return until when, in seconds, nothing more is due."""
        async with self._redis.pipeline(transaction=False) as asked:
            for lane in self._lanes:
                asked.time()  # of the node that has the lane
                asked.zrange(lane.held, 0, ARTICLES_A_LOOK - 1, withscores=True)
            answers = await asked.execute()
        pause, overdue = LOOK_SECONDS, 0.0
        for lane, (seconds, micros), articles in zip(
            self._lanes, answers[0::2], answers[1::2], strict=True
        ):
            now = seconds * 1e3 + micros / 1e3
            await self._release(lane, [slug.decode() for slug, at in articles if at <= now])
            times = [(at - now) / 1e3 for _, at in articles]
            pause = min([pause, *(each for each in times if each > 0)])
            overdue = max([overdue, *(-each for each in times)])
        self._overdue = overdue
        return max(pause, SHORTEST_PAUSE_SECONDS)

    async def _release(self, lane: Lane, slugs: Sequence[str]) -> None:
        for slug in slugs:
            if self._resting.get(slug, 0.0) > monotonic():
                continue
            try:
                tell(slug, await release(self._redis, self._script, lane, slug))
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
