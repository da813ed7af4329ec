"""Ingest refuses what there is no room for, takes what must not wait, and goes on by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest import pressure
from services.render.store import Store
from shared.runtime.backlog import SAMPLE, read_waiting
from shared.runtime.engine import Engine
from shared.runtime.installation import open_installation
from tests.builders import corrected, killed, posted, published, retracted
from tests.integration.frontdesk import LANES, Frontdesk, frontdesk
from tests.waiting import until

MOST = 10


@pytest.fixture
async def desk(
    redis: Redis, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Frontdesk]:
    monkeypatch.setattr(pressure, "LOOK_SECONDS", 0.02)
    async with frontdesk(redis, engine.url, no_auth=True, max_waiting=MOST) as made:
        yield made


async def store(redis: Redis) -> Store:
    return Store(redis, (await open_installation(redis, LANES)).lanes)


async def backlog(desk: Frontdesk) -> None:
    """File as much as may wait, for which there is no renderer."""
    events = [published(), *(posted(f"u{n}") for n in range(1, MOST))]
    assert await desk.statuses(*events) == ["accepted"] * MOST


async def test_beyond_what_may_wait_events_are_busy_and_nothing_is_stored(desk, redis):
    await backlog(desk)

    answer = await desk.file(posted("late"))

    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer.headers["retry-after"]) > 0
    assert f"{MOST} may wait" in answer.json()["detail"]
    assert await desk.statuses(published(slug="other"), posted("u1", slug="other")) == ["busy"] * 2
    assert len((await desk.events("harbour-bridge")).text.splitlines()) == MOST
    assert (await desk.events("other")).status_code == 404


async def test_what_takes_a_text_back_is_never_kept_waiting_but_for_what_it_builds_on(desk):
    await backlog(desk)

    found = await desk.statuses(
        retracted("u1"), corrected("u2"), retracted("u2"), killed(slug="nowhere")
    )

    assert found == ["accepted", "busy", "busy", "unknown-article"]
    assert await desk.statuses(killed()) == ["accepted"]


async def test_events_come_in_again_once_pages_have_caught_up(desk, redis):
    await backlog(desk)
    late = posted("late")
    assert await desk.statuses(late) == ["busy"]

    await (await store(redis)).render("harbour-bridge")

    async def taken() -> bool:
        return bool(await desk.statuses(late) in (["accepted"], ["duplicate"]))

    await until(taken)


async def test_renderers_keep_room_in_an_engine_that_fills_up(desk, redis):
    await backlog(desk)
    await (await store(redis)).render("harbour-bridge")
    facts: Any = await redis.info("memory")
    await redis.config_set("maxmemory", int(facts["used_memory"] / 0.97))
    try:

        async def refused() -> bool:
            answer = await desk.file(posted("late"))
            return answer.status_code == 503 and "nearly full" in answer.json()["detail"]

        await until(refused)
        assert await desk.statuses(retracted("u1")) == ["accepted"]
        await (await store(redis)).render("harbour-bridge")
    finally:
        await redis.config_set("maxmemory", "0")

    async def taken() -> bool:
        return bool(await desk.statuses(posted("last")) in (["accepted"], ["update-exists"]))

    await until(taken)


async def test_a_lane_with_many_articles_behind_is_counted_from_some(redis):
    lanes = (await open_installation(redis, LANES)).lanes
    assert await read_waiting(redis, lanes) == 0

    for number in range(3 * SAMPLE):
        keys = lanes.of(f"story-{number}").article(f"story-{number}")
        await redis.hset(keys.article, mapping={"seq": 3, "version": 1})
        await redis.zadd(keys.lane.dirty, {keys.slug: number})

    assert await read_waiting(redis, lanes) == 2 * 3 * SAMPLE
