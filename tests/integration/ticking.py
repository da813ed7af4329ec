"""A virtual hour for the clock and for what it meets: the engine's own, put forward or back.

The engine is real and keeps its time; scripts of ingest that ask it for the hour are told ours.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.append import Appender
from services.ingest.checking import Checker
from services.ingest.sources.running import Sources
from services.ingest.ticking import Clock
from services.render.store import Store
from shared.runtime.clock import now
from shared.runtime.keys import ArticleKeys
from shared.runtime.scripts import Script
from tests.builders import SLUG, Envelope
from tests.integration.pulling import Pulling, pulling

_ASKED = 'local time = redis.call("TIME")\n'
_TOLD = _ASKED + (
    'local ahead = tonumber(redis.call("GET", "test:ahead") or "0") * 1000\n'
    "local micros = time[1] * 1000000 + time[2] + ahead\n"
    "time = { math.floor(micros / 1000000), micros % 1000000 }\n"
)


def told_our_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the scripts that file and release go by the virtual hour from now on."""
    made = Script.__init__

    def init(self: Script, package: str, *names: str, **more: Any) -> None:
        made(self, package, *names, **more)
        if "filing.lua" in names:
            assert self.text.count(_ASKED) == 1
            self.text = self.text.replace(_ASKED, _TOLD)
            self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    monkeypatch.setattr(Script, "__init__", init)


@dataclass
class Ticking:
    """Articles with sources, some processes that have a clock, and a renderer."""

    pulling: Pulling
    store: Store
    ms: float = field(default_factory=lambda: now().timestamp() * 1e3)
    clocks: list[Clock] = field(default_factory=list)

    @property
    def redis(self) -> Redis:
        return self.pulling.redis

    def keys(self, slug: str = SLUG) -> ArticleKeys:
        return self.pulling.here.lanes.of(slug).article(slug)

    def ahead(self) -> float:
        """Return how far our hour is ahead of the engine's, in milliseconds."""
        return self.ms - now().timestamp() * 1e3

    def start(self) -> Clock:
        """Start another process."""
        lanes = self.pulling.here.lanes
        clock = Clock(self.redis, lanes, self._sources(), self.ahead)
        self.clocks.append(clock)
        return clock

    def _sources(self) -> Sources:
        appender = Appender(self.redis, self.pulling.here, "fsync")
        checker = Checker(self.redis, self.pulling.here.lanes, appender, None)
        return Sources(self.pulling.sources.updaters, checker)

    async def at(self, ms: float) -> None:
        """Let it be that hour."""
        self.ms = ms
        await self.redis.set("test:ahead", f"{self.ahead():.0f}")

    async def file(self, *events: Envelope) -> None:
        """File events, and render."""
        said = await self.pulling.file(*events)
        assert set(said) <= {"accepted", "held"}, said
        for slug in {event["subject"] for event in events}:
            await self.store.render(slug)

    async def turn(self, slug: str = SLUG) -> None:
        """Have all processes look once, at the same time, and finish."""
        lane = self.keys(slug).lane
        await asyncio.gather(*(clock.turn(lane) for clock in self.clocks))
        for clock in self.clocks:
            await clock.settled()
        await self.store.render(slug)

    async def due(self, name: str = "wire", slug: str = SLUG) -> float | None:
        """Return when a source is pulled next; None if never."""
        found: Any = await self.redis.zscore(self.keys(slug).lane.ticks, f"{slug} {name}")
        return found if found is None else float(found)

    async def next(self, name: str = "wire", slug: str = SLUG) -> float:
        """Let it be the moment at which a source is due, and have it pulled."""
        due = await self.due(name, slug)
        assert due is not None, "it is pulled no more"
        await self.at(due + 1)
        for _ in range(100):  # between reading the engine's hour and ours, time goes by
            await self.turn(slug)
            if await self.due(name, slug) != due:
                break
        return due


@asynccontextmanager
async def ticking(redis: Redis, url: str, processes: int = 2) -> AsyncIterator[Ticking]:
    async with pulling(redis, url) as desk:
        made = Ticking(desk, Store(redis, desk.here.lanes))
        for _ in range(processes):
            made.start()
        yield made
