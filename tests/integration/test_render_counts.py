"""What renderers count of the troubles that they mend, and of those that they can't."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.render.consume import make_groups
from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper, Timing
from shared.runtime.metrics import exposition
from tests.builders import SLUG, posted, published
from tests.figures import Figures, figures
from tests.integration.newsroom import (
    Newsroom,
    before_the_next_script,
    open_newsroom,
    take_wakeups,
)


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    newsroom = await open_newsroom(redis)
    await make_groups(redis, newsroom.lanes)
    return newsroom


@pytest.fixture
def before() -> Figures:
    return figures(exposition("render"))


def sweeper(newsroom: Newsroom) -> Sweeper:
    redis, lanes = newsroom.redis, newsroom.lanes
    rendering = Rendering(redis, lanes, Store(redis, lanes))
    # What is of this millisecond is old, too.
    return Sweeper(redis, lanes, rendering, Timing(dirty_ms=0, stranded_ms=0, kept_ms=-1_000))


def grown(before: Figures, name: str, *labels: str) -> float:
    return figures(exposition("render"))[name, labels] - before[name, labels]


async def test_an_article_that_no_wakeup_brought_about_is_counted_as_swept(newsroom, before):
    await newsroom.file(published())
    await newsroom.redis.delete(newsroom.keys().lane.events)

    await sweeper(newsroom).sweep()

    assert grown(before, "writethru_articles_swept_total") == 1
    assert grown(before, "writethru_wakeups_total", "stranded") == 0


async def test_wakeups_of_a_renderer_that_is_gone_are_counted_as_stranded(newsroom, before):
    await newsroom.file(published(), posted("a"))
    await take_wakeups(newsroom.redis, newsroom.keys().lane, "dead")

    await sweeper(newsroom).sweep()

    assert grown(before, "writethru_wakeups_total", "stranded") == 2
    assert grown(before, "writethru_wakeups_total", "read") == 0


async def test_entries_that_are_trimmed_are_counted_by_stream(newsroom, before):
    await newsroom.file(published(), posted("a"))
    lane = newsroom.keys().lane
    wakeups = await take_wakeups(newsroom.redis, lane)
    await Store(newsroom.redis, newsroom.lanes).render(SLUG, wakeups)

    await sweeper(newsroom).tidy()

    # The group stands at the second wake-up, so that one stays.
    assert grown(before, "writethru_entries_trimmed_total", "events") == 1
    assert grown(before, "writethru_entries_trimmed_total", "changes") == 1


async def test_a_render_that_was_overtaken_is_counted_as_stale(newsroom, before):
    await newsroom.file(published())
    other = Store(newsroom.redis, newsroom.lanes)
    before_the_next_script(newsroom.redis, lambda: other.render(SLUG))

    await Store(newsroom.redis, newsroom.lanes).render(SLUG)

    assert grown(before, "writethru_commits_total", "committed") == 1
    assert grown(before, "writethru_commits_total", "stale") == 1


async def test_an_article_that_can_not_be_rendered_is_counted_as_failed(newsroom, before):
    await newsroom.file(published())
    await newsroom.redis.set(newsroom.keys().state, "no hash")

    await sweeper(newsroom).sweep()

    assert grown(before, "writethru_renders_failed_total") == 1


async def test_an_event_that_can_not_be_folded_is_counted_and_named_once(newsroom, before):
    # given a ledger in which an event's type is unknown to us
    await newsroom.file(published(), posted("a"), posted("b"))
    keys = newsroom.keys()
    record: Any = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 1, record.replace(b"update.posted", b"update.sung"))
    store = Store(newsroom.redis, newsroom.lanes)
    # when it is rendered, goes on, and is folded anew
    with capture_logs() as lines:
        await store.render(SLUG)
        await newsroom.file(posted("c"))
        await store.render(SLUG)
        await store.rebuild(SLUG)
    # then operators have heard of that event, once
    assert grown(before, "writethru_events_quarantined_total") == 1
    [named] = [line for line in lines if line["event"] == "event.quarantined"]
    assert (named["article"], named["seq"], named["log_level"]) == (SLUG, 2, "error")


async def test_an_event_that_can_be_folded_no_more_is_told_of_when_that_comes_out(newsroom, before):
    # given an article whose ledger was damaged behind its version
    await newsroom.file(published(), posted("a"))
    store = Store(newsroom.redis, newsroom.lanes)
    await store.render(SLUG)
    keys = newsroom.keys()
    record: Any = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 1, record.replace(b"update.posted", b"update.sung"))
    # when it is folded anew
    await store.rebuild(SLUG)
    # then operators hear of it
    assert grown(before, "writethru_events_quarantined_total") == 1
