"""Sources pulled over a real engine from a real feed server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from shared.contract.sources import Source
from shared.runtime.engine import Engine
from tests.builders import SLUG, closed, published, writethru
from tests.feeds import STORY, FeedServer, Wire
from tests.integration.pulling import Pulling, pulling

FORMS = ("feed.rss", "feed.atom", "feed.json")
TEXTS = [
    ("posted", "The harbour bridge is **closed** to all traffic."),
    ("posted", "The ferry runs every ten minutes until the bridge opens."),
    ("posted", "Engineers have checked two of five spans."),
    ("corrected", "Engineers have checked three of five spans."),
    ("posted", "Lorries are sent round by the valley road."),
]


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Pulling]:
    async with pulling(redis, engine.url) as desk:
        await desk.file(published())
        yield desk


class Clock:
    """A script's seconds, as a test says them."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize("form", FORMS)
async def test_an_hour_of_ticks_files_each_entry_once_and_each_edit_as_a_correction(
    desk: Pulling, form: str
):
    # given
    clock = Clock()
    wire = Wire(STORY, clock, datetime.now(UTC))
    with FeedServer(wire) as server:
        source = Source(name="wire", url=f"{server.url}/{form}")
        # when
        outcomes = []
        for tick in range(6):
            clock.at = tick * 600
            outcomes.append(await desk.run(source, f"tick {tick}"))
        again = await desk.run(source, "tick 5")
        # then
        link = f"[The notice]({server.url}/notice)"
        assert await desk.told() == [
            *TEXTS,
            ("posted", f"The first cars crossed. {link} has the rest."),
        ]
        assert [each.filed for each in outcomes] == [1] * 6
        assert (again.filed, again.duplicates, again.unchanged) == (0, 0, True)
        assert wire.asked[-1] == (f"/{form}", 304)


async def test_what_was_pulled_is_pulled_once_though_nothing_is_remembered(desk: Pulling):
    # given
    clock = Clock()
    with FeedServer(Wire(STORY, clock, datetime.now(UTC))) as server:
        source = Source(name="wire", url=f"{server.url}/feed.atom")
        clock.at = 1200
        await desk.run(source)
        await desk.redis.delete(desk.sources.records.keys(SLUG).pulled)
        # when an entry was edited meanwhile
        clock.at = 2400
        outcome = await desk.run(source)
        # then
        assert sorted(await desk.told()) == sorted(TEXTS)
        assert (outcome.filed, outcome.duplicates) == (2, 2)
        # when
        await desk.redis.delete(desk.sources.records.keys(SLUG).pulled)
        # then
        assert (await desk.run(source)).filed == 0


async def test_sources_come_with_events_and_are_replaced_by_those_of_the_next(desk: Pulling):
    # given
    await desk.file(writethru(pull=[{"name": "wire", "url": "https://wire.example/feed"}]))
    # when
    first = await desk.sources.of(SLUG)
    await desk.file(writethru(headline="Bridge open"))
    kept = await desk.sources.of(SLUG)
    await desk.file(writethru(pull=["https://other.example/feed"]))
    others = await desk.sources.of(SLUG)
    await desk.file(writethru(pull=None))
    # then
    assert [each.name for each in first] == ["wire"]
    assert kept == first
    assert [each.url for each in others] == ["https://other.example/feed"]
    assert await desk.sources.of(SLUG) == ()


async def test_an_article_that_is_closed_takes_what_was_missed_when_it_opens_again(desk: Pulling):
    # given
    clock = Clock()
    with FeedServer(Wire(STORY, clock, datetime.now(UTC))) as server:
        source = Source(name="wire", url=f"{server.url}/feed.rss")
        await desk.file(closed())
        # when
        outcome = await desk.run(source)
        # then
        assert outcome.failure is not None
        assert "closed" in outcome.failure
        # when
        await desk.file({**closed(), "type": "writethru.article.reopened", "id": "again"})
        assert (await desk.run(source)).filed == 1
