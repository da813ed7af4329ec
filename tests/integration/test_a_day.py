"""Twenty-four hours of a ten-minute cadence, in some seconds: no update lost, doubled or late."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.core.ticks import Grid
from services.ingest.release import RELEASE, release
from shared.article.dates import rfc3339
from shared.runtime.clock import now
from shared.runtime.engine import Engine
from shared.runtime.scripts import Script
from tests.builders import SLUG, posted, published
from tests.feeds import FeedServer, Wire
from tests.integration.ticking import Ticking, ticking, told_our_hour

TICKS, CADENCE = 144, 600
SEED = 20_261_124
#: Ticks at which a process that has taken it dies, and another one is started.
DEATHS = {7, 31, 32, 77, 101, 140}
#: What the wire answers for a while; it may ask to be left alone for some seconds.
BAD_DAYS = [(503, None), (500, None), (429, "90"), (502, None), (404, None)]
HELD, UNTIL = 40, 45


def story() -> list[dict[str, Any]]:
    """One entry before each tick, which the feed drops half an hour later; every tenth edited."""
    entries = []
    for n in range(TICKS):
        at = n * CADENCE - 40
        entries.append(
            {"at": at, "id": f"n{n}", "title": f"{n}", "html": f"<p>Word {n} came in.</p>"}
        )
        if n % 10 == 3:
            html = f"<p>Word {n} came in late.</p>"
            entries.append({"at": at + 550, "id": f"n{n}", "title": f"{n}", "html": html})
        entries.append({"at": at + 3_000, "id": f"n{n}", "gone": True})
    return sorted(entries, key=lambda entry: entry["at"])


async def play(desk: Ticking, wire: Any, grid: Grid, chance: random.Random) -> None:
    """Let a day go by from one thing that is due to the next."""
    end = grid.origin + TICKS * CADENCE * 1_000
    deaths = set(DEATHS)
    releasing = Script("services.ingest", *RELEASE)
    failed = -1
    while (due := await desk.due()) is not None and due < end:
        await desk.at(due + chance.uniform(1, 400))
        tick = (grid.tick(desk.ms) - grid.origin) // (CADENCE * 1_000)
        if tick % 9 == 4 and failed != tick:
            failed = tick
            wire.fail(chance.randint(1, 3), *chance.choice(BAD_DAYS))
        if tick in deaths:
            deaths.remove(tick)
            await die(desk, chance)
        if tick == HELD and not await desk.redis.zcard(desk.keys().lane.held):
            until = datetime.fromtimestamp((grid.origin / 1e3) + UNTIL * CADENCE + 5, UTC)
            text = "Not before its hour."
            await desk.file(posted("held", text, embargo_until=rfc3339(until)))
        await desk.turn()
        await release(desk.redis, releasing, desk.keys().lane, SLUG)


async def die(desk: Ticking, chance: random.Random) -> None:
    """Have a process take what is due and die, before, while or after it files."""
    clock = desk.clocks.pop(0)
    await clock.turn(desk.keys().lane)
    steps = chance.randint(0, 40)
    tasks = [*clock._out, *clock._failing]
    for _ in range(steps):
        if not all(task.done() for task in tasks):
            await desk.redis.ping()
    for task in tasks:
        task.cancel()
    await clock.settled()
    desk.start()


async def test_a_day_of_a_ten_minute_cadence_brings_every_update_once_and_in_its_tick(
    redis: Redis, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given an article that was published a day ago, and a wire with bad days
    told_our_hour(monkeypatch)
    chance = random.Random(SEED)
    began = (now() - timedelta(hours=24)).replace(microsecond=0)
    grid = Grid(SLUG, int(began.timestamp() * 1e3), CADENCE * 1_000)
    async with ticking(redis, engine.url) as desk:
        wire = Wire(story(), lambda: (desk.ms - grid.origin) / 1e3, began)
        with FeedServer(wire) as server:
            pull = [{"name": "wire", "url": f"{server.url}/feed.json"}]
            await desk.at(grid.origin + 200)
            await desk.file(published(at=rfc3339(began), pull=pull))
            await desk.turn()
            # when a day goes by, in which processes die
            await play(desk, wire, grid, chance)
        found: Any = await redis.lrange(desk.keys().ledger, 0, -1)
    records = [orjson.loads(record) for record in found]
    posts = [each for each in records if each["event"]["type"] == "writethru.update.posted"]
    texts = [each["event"]["data"]["text"] for each in posts]
    # then every update is there once, and in the order of the wire
    brought = [text for text in texts if text.startswith("Word")]
    assert brought == [f"Word {n} came in." for n in range(TICKS)]
    corrected = [each for each in records if each["event"]["type"].endswith("corrected")]
    assert len(corrected) == len([n for n in range(TICKS) if n % 10 == 3 and n + 1 < TICKS])
    # and none later than the tick that it belongs to
    words = [each for each in posts if each["event"]["data"]["text"].startswith("Word")]
    for n, each in enumerate(words):
        assert 0 <= each["recorded"] - grid.origin - n * CADENCE * 1_000 < CADENCE * 1_000
    # and what was under embargo came in its hour
    (held,) = (each for each in posts if each["event"]["data"]["text"].startswith("Not"))
    assert 0 <= held["recorded"] - grid.origin - UNTIL * CADENCE * 1_000 < CADENCE * 1_000
