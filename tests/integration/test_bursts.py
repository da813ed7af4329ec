"""A burst to one article costs few commits and few deliveries, and no breaking news a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from redis.asyncio import Redis

from services.render.consume import Consumer, make_groups
from services.render.core.pace import AT_ONCE, PAUSE_SECONDS
from services.render.rendering import Rendering
from services.render.store import Store
from shared.runtime.engine import Engine
from tests.builders import posted, published
from tests.integration.newsstand import Newsstand, open_newsstand
from tests.waiting import until


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        lanes = stand.newsroom.lanes
        await make_groups(redis, lanes)
        consumer = Consumer(engine.url, lanes, "one", Rendering(redis, lanes, Store(redis, lanes)))
        await consumer.start()
        yield stand
        await consumer.stop()


async def rendered(stand: Newsstand, version: int) -> bool:
    return await stand.newsroom.version() >= version


async def test_a_hundred_updates_in_a_second_are_few_commits_and_few_events_to_a_reader(stand):
    # given a reader of an article
    await stand.newsroom.file(published())
    await until(lambda: rendered(stand, 1))
    stream = await stand.live()
    # when a hundred updates come, ten milliseconds apart and more where the machine is busy
    began = time.monotonic()
    for n in range(100):
        await stand.newsroom.file(posted(f"u{n}"))
        await asyncio.sleep(0.01)
    # then the reader has them all, in order, by a few events, each of which took one commit
    told: list[tuple[int, int]] = []
    while not told or told[-1][1] < 101:
        event = await stream.event()
        told.append((event.data["from"], event.data["to"]))
    few = AT_ONCE + (time.monotonic() - began) / PAUSE_SECONDS + 2
    assert told[0][0] == 1
    assert all(one[1] == other[0] for one, other in pairwise(told))
    assert len(told) <= few
    assert await stand.newsroom.redis.xlen(stand.newsroom.keys().lane.changes) <= few + 1


async def test_breaking_news_in_a_burst_is_shown_at_once_with_all_that_came_before(
    stand, monkeypatch
):
    # given an article in a burst, whose next commit has to wait as good as for ever
    await stand.newsroom.file(published())
    await until(lambda: rendered(stand, 1))
    monkeypatch.setattr("services.render.core.pace.PAUSE_SECONDS", 1_000.0)
    for n in range(10):
        await stand.newsroom.file(posted(f"u{n}", urgency=5))
        await asyncio.sleep(0.01)
    before = await stand.newsroom.version()
    assert before < 11
    # when there is breaking news
    await stand.newsroom.file(posted("now", urgency=2))
    # then nobody waits
    await until(lambda: rendered(stand, 12))
