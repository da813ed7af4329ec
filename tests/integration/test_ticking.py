"""Sources are pulled on their articles' cadence, each tick by one process of many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.core.ticks import Grid, Pulse, loaded
from services.ingest.sources.records import Stand
from services.ingest.sources.running import Outcome, Sources
from services.ingest.ticking import LEASE_SECONDS, Clock
from shared.article.dates import rfc3339
from shared.contract.sources import Source
from shared.runtime.clock import now
from shared.runtime.engine import Engine
from tests.builders import SLUG, closed, killed, published, reopened, writethru
from tests.integration.ticking import Ticking, ticking
from tests.waiting import until

FEED = {"name": "wire", "url": "https://wire.example/feed"}
OTHER = {"name": "other", "url": "https://other.example/feed"}
TEN_MINUTES = 600_000


class Pulled:
    """Stands in for what is pulled: notes who asked at which tick, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.answer = Outcome(filed=1)
        self.hold: dict[str, asyncio.Event] = {}

    async def __call__(self, slug: str, source: Source, *, tick: str) -> Outcome:
        self.asked.append((source.name, tick))
        if held := self.hold.get(source.name):
            await held.wait()
        return self.answer

    @property
    def ticks(self) -> list[str]:
        return [tick for _, tick in self.asked]


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch) -> Pulled:
    stand_in = Pulled()

    async def run(_self: Sources, slug: str, source: Source, *, tick: str) -> Outcome:
        return await stand_in(slug, source, tick=tick)

    monkeypatch.setattr(Sources, "run", run)
    return stand_in


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Ticking]:
    async with ticking(redis, engine.url) as desk:
        yield desk


async def opened(desk: Ticking, **facts: Any) -> Grid:
    """Publish an article with a source now, have that planned, and return its grid."""
    at = now()
    await desk.at(at.timestamp() * 1e3)
    await desk.file(published(at=rfc3339(at), pull=[FEED], **facts))
    await desk.turn()
    return Grid(SLUG, int(at.timestamp() * 1e3), facts.get("cadence_seconds", 600) * 1_000)


async def test_it_is_pulled_at_once_and_then_on_the_cadence_by_one_process_of_two(desk, pulled):
    grid = await opened(desk)
    for _ in range(4):
        await desk.next()
    assert pulled.ticks == [rfc3339_of(grid.origin + n * TEN_MINUTES) for n in range(4)]


def rfc3339_of(ms: int) -> str:
    return rfc3339(datetime.fromtimestamp(ms / 1e3, UTC))


async def pulse_of(desk: Ticking) -> Pulse:
    """Return how the source does."""
    kept: Any = await desk.redis.hget(desk.keys().pulses, "wire")
    pulse = loaded(kept)
    assert pulse is not None
    return pulse


async def test_what_was_missed_in_an_outage_is_caught_up_with_once(desk, pulled):
    grid = await opened(desk)
    await desk.next()
    # when nobody is there for three hours and a bit
    await desk.at(grid.origin + 10_900_000)
    await desk.turn()
    await desk.turn()
    # then one tick stands for all, and the next is where it always was
    assert pulled.ticks[1:] == [rfc3339_of(grid.origin + 18 * TEN_MINUTES)]
    assert await desk.due() == grid.origin + 19 * TEN_MINUTES + grid.jitter


async def test_a_tick_of_a_process_that_dies_is_done_by_another_as_the_same(desk, pulled):
    # given one that has taken a tick, and hangs
    grid = await opened(desk)
    pulled.hold["wire"] = asyncio.Event()
    await desk.at((await desk.due()) + 1)
    first, second = desk.clocks
    await first.turn(desk.keys().lane)
    await until(lambda: asked(pulled, 1))
    # when it is as good as dead, nobody else takes it before the lease ends
    await second.turn(desk.keys().lane)
    assert len(pulled.asked) == 1
    await desk.at(desk.ms + LEASE_SECONDS * 1e3)
    await second.turn(desk.keys().lane)
    await until(lambda: asked(pulled, 2))
    # then it is the same tick, and who comes back late sets nothing
    pulled.hold.pop("wire").set()
    await desk.turn()
    assert pulled.ticks == [rfc3339_of(grid.origin)] * 2
    assert await desk.due() == grid.origin + TEN_MINUTES + grid.jitter


async def asked(pulled: Pulled, times: int) -> bool:
    return len(pulled.asked) == times


@pytest.mark.parametrize(
    "act", [closed(), killed(), writethru(cadence_seconds=None), writethru(pull=[])],
    ids=["closed", "killed", "without a cadence", "without sources"],
)  # fmt: skip
async def test_it_ends_with_what_it_is_for(desk, pulled, act):
    await opened(desk)
    await desk.next()
    await desk.file(act)
    await desk.turn()
    assert await desk.due() is None
    assert await desk.redis.exists(desk.keys().pulses, desk.keys().lane.ticks) == 0


async def test_a_kill_holds_even_before_anybody_has_planned(desk, pulled):
    await opened(desk)
    lane = desk.keys().lane
    await desk.file(killed())
    await desk.redis.zrem(lane.ticks, SLUG)
    await desk.next()
    assert pulled.asked == []


@pytest.mark.parametrize("act", [reopened(), writethru(cadence_seconds=60)])
async def test_it_begins_again_when_the_article_does(desk, pulled, act):
    grid = await opened(desk)
    await desk.next()
    end = closed() if act["type"].endswith("reopened") else writethru(cadence_seconds=None)
    await desk.file(end)
    await desk.turn()
    await desk.at(grid.origin + 7_300_000)
    await desk.file(act)
    await desk.turn()
    cadence = act["data"].get("cadence_seconds", 600) * 1_000
    first, second = await desk.next(), await desk.due()
    grid = Grid(SLUG, grid.origin, cadence)
    assert first <= grid.origin + 7_300_000 + grid.jitter + 10
    assert second == grid.after(first)


async def test_another_cadence_counts_at_once_and_other_words_change_nothing(desk, pulled):
    grid = await opened(desk)
    await desk.next()
    due = await desk.due()
    await desk.file(writethru(headline="It is open again"))
    await desk.turn()
    assert await desk.due() == due
    await desk.file(writethru(cadence_seconds=60))
    await desk.turn()
    assert await desk.due() == Grid(SLUG, grid.origin, 60_000).after(desk.ms)


async def test_a_source_that_fails_is_asked_ever_more_seldom_and_says_so(desk, pulled):
    grid = await opened(desk)
    pulled.answer = Outcome(failure="it answers (503)")
    moments = [await desk.next() for _ in range(5)]
    pauses = [then - before for before, then in pairwise(moments)]
    # then pauses double, each a bit longer than that, and the same tick is tried again
    for pause, least in zip(pauses, [30_000, 60_000, 120_000, 240_000], strict=True):
        assert least <= pause <= least * 1.2 + 500
    assert set(pulled.ticks[:4]) == {rfc3339_of(grid.origin)}
    pulse = await pulse_of(desk)
    assert (pulse.failures, pulse.failure) == (5, "it answers (503)")
    assert await desk.redis.zcard(desk.keys().lane.failing) == 1
    # and one success forgets all
    pulled.answer = Outcome(unchanged=True)
    await desk.next()
    assert await desk.due() == grid.after(desk.ms)
    assert await desk.redis.zcard(desk.keys().lane.failing) == 0


async def test_who_asks_to_be_left_alone_is_whatever_else_is_said(desk, pulled):
    await opened(desk)
    pulled.answer = Outcome(failure="it wants to be asked later (429)", retry_after=3_000.0)
    await desk.next()
    at = desk.ms
    await desk.file(writethru(headline="Other words"), writethru(cadence_seconds=60))
    await desk.turn()
    assert await desk.due() == pytest.approx(at + 3_000_000, abs=1_000)


async def test_a_source_that_is_gone_is_asked_no_more_until_it_is_another(desk, pulled):
    await opened(desk)
    pulled.answer = Outcome(failure="it answers that it is gone for good (410)", gone=True)
    await desk.next()
    assert await desk.due() is None
    pulse = await pulse_of(desk)
    assert "410" in pulse.failure
    # and when somebody looks who finds it gone, and then one who finds it back
    records = desk.pulling.sources.records
    source = Source.model_validate(FEED)
    gone = Stand("feed", source.url, failures=1, gone=True)
    for stand, planned in ((gone, False), (Stand("feed", source.url, succeeded=now()), True)):
        await records.keep(SLUG, "wire", stand, None)
        await records.look_again(SLUG)
        await desk.at(now().timestamp() * 1e3)
        await desk.turn()
        assert (await desk.due() is not None) is planned


async def test_one_that_hangs_keeps_no_other_back(desk, pulled):
    await opened(desk)
    await desk.file(writethru(pull=[FEED, OTHER]))
    await desk.turn()
    pulled.hold["wire"] = asyncio.Event()
    await desk.at(max(await desk.due("wire"), await desk.due("other")) + 1)
    for clock in desk.clocks:
        await clock.turn(desk.keys().lane)
    await until(lambda: asked(pulled, 2))
    assert {name for name, _ in pulled.asked} == {"wire", "other"}
    pulled.hold.pop("wire").set()
    await desk.turn()


async def test_what_takes_too_long_is_a_failure(desk, pulled, monkeypatch):
    monkeypatch.setattr("services.ingest.ticking.RUN_SECONDS", 0.01)
    await opened(desk)
    pulled.hold["wire"] = asyncio.Event()
    await desk.next()
    pulse = await pulse_of(desk)
    assert pulse.failure == "it took longer than 0.01 seconds"


async def test_what_operators_say_of_a_source_counts_at_once(desk, pulled):
    await opened(desk)
    records = desk.pulling.sources.records
    await records.pause(SLUG, "wire", paused=True)
    await desk.turn()
    assert await desk.due() is None
    await records.pause(SLUG, "wire", paused=False)
    await records.add(SLUG, Source(name="other", url=OTHER["url"]), now(), None)
    await desk.turn()
    assert None not in (await desk.due("wire"), await desk.due("other"))
    await records.remove(SLUG, "other")
    await desk.turn()
    assert await desk.due("other") is None


async def test_it_is_no_reason_to_send_no_events(desk, pulled):
    await opened(desk)
    clock: Clock = desk.clocks[0]
    assert clock.check().ok
    await desk.redis.delete(desk.keys().lane.ticks)
    await desk.redis.set(desk.keys().lane.ticks, "something else")
    await clock.turn(desk.keys().lane)
    assert clock.check().ok
    assert "ResponseError" in clock.check().detail
    await desk.redis.delete(desk.keys().lane.ticks)
    await clock.turn(desk.keys().lane)
    assert clock.check().detail == "sources are pulled on their articles' cadence"
