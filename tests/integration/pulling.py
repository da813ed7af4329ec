"""Sources over a real engine, and what a test needs to pull them: their door, and its ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import orjson
from redis.asyncio import Redis

from services.ingest.append import Appender
from services.ingest.checking import Checker
from services.ingest.sources.outside import Outside
from services.ingest.sources.running import Outcome, Sources
from services.ingest.sources.updaters import updaters
from shared.contract.desk import DEFAULTS, Levels
from shared.contract.events import parse_event
from shared.contract.sources import Source
from shared.runtime.dialing import Rules
from shared.runtime.installation import Installation, open_installation
from shared.runtime.settings import Settings
from tests.builders import SLUG, Envelope

HERE = Rules(allow=(ip_network("127.0.0.0/8"),))


@dataclass(frozen=True)
class Pulling:
    """What pulls, and what it is done on."""

    redis: Redis
    here: Installation
    sources: Sources
    checker: Checker

    async def file(self, *events: Envelope) -> list[str]:
        """File events by the door; return what became of each."""
        receipts = await self.checker.file([parse_event(each) for each in events], {})
        return [str(each.problem["code"]) if each.problem else each.status for each in receipts]

    async def run(self, source: Source, tick: str = "1", slug: str = SLUG) -> Outcome:
        return await self.sources.run(slug, source, tick=tick)

    async def ledger(self, slug: str = SLUG) -> list[dict[str, Any]]:
        """Return the events that sources have filed, oldest first."""
        found: Any = await self.redis.lrange(self.here.lanes.of(slug).article(slug).ledger, 0, -1)
        events = [orjson.loads(record)["event"] for record in found]
        return [event for event in events if event["source"].startswith("/sources/")]

    async def told(self, slug: str = SLUG) -> list[tuple[str, str]]:
        """Return what kind of event each was, and its text."""
        return [
            (event["type"].rpartition(".")[2], event["data"].get("text", ""))
            for event in await self.ledger(slug)
        ]


@asynccontextmanager
async def pulling(
    redis: Redis,
    url: str,
    rules: Rules = HERE,
    levels: Levels | None = DEFAULTS,
) -> AsyncIterator[Pulling]:
    here = await open_installation(redis, 2)
    appender = Appender(redis, here, "fsync")
    checker = Checker(redis, here.lanes, appender, levels)
    async with Outside(
        Settings(redis_url=url, lanes=2, outbound_allow=rules.allow or None)
    ) as outside:
        asking = updaters(redis, here, Settings(redis_url=url, lanes=2), outside)
        yield Pulling(redis, here, Sources(asking, checker), checker)
