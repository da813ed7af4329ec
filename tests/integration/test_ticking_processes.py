"""Sources pulled by real ingest processes on one engine, one of which dies in the middle of a tick.

Engine, processes and wire are real. Leases, and ticks that are ten minutes off, are brought forward
by hand.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.core.ticks import Grid, loaded
from services.render.store import Store
from shared.article.dates import rfc3339
from shared.runtime.clock import now
from shared.runtime.engine import Engine
from tests.builders import SLUG, published
from tests.feeds import STORY, FeedServer, Wire, wire_at_speed
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import LANES
from tests.stack import free_ports
from tests.waiting import until

WHO = f"{SLUG} wire"
#: For how long nobody may write if nothing ends that before, in milliseconds.
PAUSE = 20_000
#: The hour's ten minutes, in seconds: a busy machine may be late by most of them.
CADENCE = 2


class Ingest:
    """`python -m services.ingest`, beside others like it; it dies at the place *fail*."""

    def __init__(self, engine: Engine, fail: str = "") -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        environ = {
            "WRITETHRU_REDIS_URL": engine.url,
            "WRITETHRU_LANES": str(LANES),
            "WRITETHRU_OUTBOUND_ALLOW": "127.0.0.0/8",
            "WRITETHRU_INGEST_LISTEN": f"127.0.0.1:{port}",
            "WRITETHRU_LOG_LEVEL": "error",
            "WRITETHRU_FAIL": fail,
        }
        words = [sys.executable, "-m", "services.ingest"]
        self.process = subprocess.Popen(words, env=os.environ | environ)

    async def is_up(self) -> bool:
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:
            try:
                return (await http.get("/healthz")).status_code == 200
            except httpx2.TransportError:
                return False

    def has_died(self) -> bool:
        return self.process.poll() == -signal.SIGKILL


@contextmanager
def ingests(engine: Engine, *fails: str) -> Iterator[list[Ingest]]:
    """Start a process for each of *fails*, which is where it dies; "" is nowhere."""
    started = [Ingest(engine, fail) for fail in fails]
    try:
        yield started
    finally:
        for each in started:
            each.process.kill()
            each.process.wait()


@dataclass(frozen=True)
class Desk:
    """The article, as its engine has it."""

    redis: Redis
    newsroom: Newsroom
    store: Store

    async def open(self, url: str, cadence: int, at: datetime) -> None:
        pull = [{"name": "wire", "url": url}]
        await self.newsroom.file(published(at=rfc3339(at), cadence_seconds=cadence, pull=pull))
        await self.store.render(SLUG)

    async def bring_forward(self) -> None:
        """Let it be time for the tick, and the lease of who took it be over."""
        at = int(now().timestamp() * 1e3)
        await self.redis.zadd(self.newsroom.keys().lane.ticks, {WHO: at})

    async def have_both_want_it(self) -> None:
        """Bring the tick forward, and let nobody write until two processes want to move it."""
        at = int(now().timestamp() * 1e3)
        async with self.redis.pipeline(transaction=False) as asked:
            asked.zadd(self.newsroom.keys().lane.ticks, {WHO: at})
            asked.client_pause(PAUSE, all=False)
            await asked.execute()
        await until(self._both_want_it)
        await self.redis.client_unpause()

    async def _both_want_it(self) -> bool:
        clients: Any = await self.redis.client_list()
        kept_back = [each for each in clients if each["cmd"] == "evalsha" and "b" in each["flags"]]
        return len(kept_back) == 2

    async def is_planned(self) -> bool:
        return await self.redis.zscore(self.newsroom.keys().lane.ticks, WHO) is not None

    async def tick_is_done(self) -> bool:
        """Render what was filed, and say whether the next tick is set and nothing to be planned."""
        kept: Any = await self.redis.hget(self.newsroom.keys().pulses, "wire")
        pulse = loaded(kept)
        due: Any = await self.redis.zscore(self.newsroom.keys().lane.ticks, WHO)
        await self.store.render(SLUG)
        planning: Any = await self.redis.zscore(self.newsroom.keys().lane.ticks, SLUG)
        if pulse is None or due is None or planning is not None:
            return False
        return int(due) - pulse.origin >= pulse.cadence

    async def records(self) -> list[dict[str, Any]]:
        """Return the ledger's records of what the wire had."""
        found: Any = await self.redis.lrange(self.newsroom.keys().ledger, 0, -1)
        records = [orjson.loads(record) for record in found]
        return [each for each in records if each["event"]["source"] == "/sources/wire"]


@pytest.fixture
async def desk(redis: Redis) -> AsyncIterator[Desk]:
    newsroom = await open_newsroom(redis, LANES)
    yield Desk(redis, newsroom, Store(redis, newsroom.lanes))
    await redis.client_unpause()


async def test_a_tick_is_done_by_one_of_two_processes_and_by_the_other_if_that_one_died(
    engine: Engine, desk: Desk
) -> None:
    seconds = [0.0]
    wire = Wire(STORY, lambda: seconds[-1], datetime.now(UTC))
    with FeedServer(wire) as server, ingests(engine, "ingest.after_tick:1", "", "") as processes:
        doomed, *two = processes
        for each in processes:
            await until(each.is_up)
        # given a process that dies when it has taken a tick, while the others stand still
        for each in two:
            each.process.send_signal(signal.SIGSTOP)
        await desk.open(f"{server.url}/feed.atom", 600, now() - timedelta(minutes=2))
        await until(desk.is_planned)
        await desk.bring_forward()
        await until(doomed.has_died)
        assert (wire.asked, await desk.records()) == ([], [])

        # when two want its tick, and each one that follows, in the same moment
        for each in two:
            each.process.send_signal(signal.SIGCONT)
        for number, entry in enumerate(STORY, 1):
            seconds.append(entry["at"])
            await desk.have_both_want_it()
            await until(partial(_was_asked, wire, number))
            await until(desk.tick_is_done)
        # then one of them does it
        assert len(wire.asked) == len(STORY)
    # and each entry is filed once, and its edit
    filed = [each["event"]["type"].rpartition(".")[2] for each in await desk.records()]
    assert filed == ["posted", "posted", "posted", "corrected", "posted", "posted"]


def _was_asked(wire: Any, times: int) -> bool:
    return len(wire.asked) >= times


async def test_an_hour_at_speed_has_each_entry_filed_once_and_at_the_tick_after_it_was_shown(
    engine: Engine, desk: Desk
) -> None:
    # given a process that pulls by the real clock
    with ingests(engine, "") as (ingest,):
        await until(ingest.is_up)
        # when an hour of the wire goes by, each entry between two ticks
        with wire_at_speed(600 / CADENCE) as url:
            published_at = now() - timedelta(seconds=CADENCE / 2)
            await desk.open(f"{url}/feed.atom", CADENCE, published_at)
            await until(partial(_has_filed, desk, len(STORY)))
    # then each is filed once, by one tick
    records = await desk.records()
    filed = [each["event"]["type"].rpartition(".")[2] for each in records]
    assert filed == ["posted", "posted", "posted", "corrected", "posted", "posted"]
    grid = Grid(SLUG, int(published_at.timestamp() * 1e3), CADENCE * 1_000)
    first, *ticks = [(grid.tick(each["recorded"]) - grid.origin) / grid.cadence for each in records]
    # and the first at once, or as soon as the tick after it
    assert first in {0, 1}
    assert ticks == [2, 3, 4, 5, 6]


async def _has_filed(desk: Desk, many: int) -> bool:
    return len(await desk.records()) >= many
