"""Reading what is committed: one version at a time, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.render.store import Store
from shared.article.article import Mark, newest_numbers
from shared.contract.errors import TryAgain
from shared.runtime.snapshots import Snapshots
from tests.builders import (
    SLUG,
    closed,
    corrected,
    killed,
    numbered,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)
from tests.integration.newsroom import Newsroom, open_newsroom


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    return await open_newsroom(redis)


@pytest.fixture
def store(newsroom: Newsroom) -> Store:
    return Store(newsroom.redis, newsroom.lanes)


@pytest.fixture
def snapshots(newsroom: Newsroom) -> Snapshots:
    return Snapshots(newsroom.redis, newsroom.lanes)


# Whole and in part


async def test_nothing_is_read_where_nothing_was_rendered(newsroom, snapshots):
    # given an article that was filed and not rendered
    await newsroom.file(published())
    # when it is read
    # then there is none yet
    assert await snapshots.read_head(SLUG) is None
    assert await snapshots.read_article(SLUG) is None
    assert await snapshots.read_window(SLUG, newest_numbers) is None
    assert await snapshots.changed_since(SLUG, Mark()) is None
    assert await snapshots.read_update(SLUG, "a") is None


async def test_an_article_reads_as_its_ledger_replays(newsroom, store, snapshots):
    # given an article of three pages with every kind of act
    await newsroom.file(
        published(),
        *numbered(120),
        corrected("u3"),
        revised("u60", text="Mended."),
        retracted("u7"),
        pinned("u80"),
        writethru(body="## New\n\nbody"),
        closed(),
    )
    await store.render(SLUG)
    # when it is read
    article = await snapshots.read_article(SLUG)
    # then it is the fold of its events
    assert article == await newsroom.replayed()
    assert await snapshots.read_head(SLUG) == article.head
    assert await snapshots.read_update(SLUG, "u3") == article.updates["u3"]


async def test_a_window_holds_the_updates_that_were_asked_for(newsroom, store, snapshots):
    # given an article of 120 updates
    await newsroom.file(published(), *numbered(120))
    await store.render(SLUG)
    # when the newest fifty are read
    window = await snapshots.read_window(SLUG, newest_numbers)
    # then they come from two pages, oldest first
    assert [each.number for each in window.updates] == list(range(71, 121))
    assert window.body == (await newsroom.replayed()).body


async def test_a_killed_article_reads_as_its_head_alone(newsroom, store, snapshots):
    # given an article that was killed
    await newsroom.file(published(), posted("a"), killed("Legal advice."))
    await store.render(SLUG)
    # when it is read in every way
    article = await snapshots.read_article(SLUG)
    # then there is what remains of it
    assert article == await newsroom.replayed()
    assert (await snapshots.read_head(SLUG)).note.note == "Legal advice."
    assert (await snapshots.changed_since(SLUG, Mark(2))).changes == ()
    assert await snapshots.read_update(SLUG, "a") is None


async def test_a_cold_article_of_many_updates_is_read_in_portions(
    newsroom, store, snapshots, monkeypatch
):
    # given more updates than are read at once
    monkeypatch.setattr("shared.runtime.snapshots.FIELDS_A_READ", 50)
    await newsroom.file(published(), *numbered(120))
    await store.render(SLUG)
    before = await newsroom.redis.info("commandstats")
    # when they are read
    article = await snapshots.read_article(SLUG)
    # then it takes a few commands, and nothing is missing
    after = await newsroom.redis.info("commandstats")
    assert article == await newsroom.replayed()
    assert after["cmdstat_hmget"]["calls"] - before["cmdstat_hmget"]["calls"] == 3 + 3


async def test_updates_that_were_read_before_are_not_fetched_again(newsroom, store, snapshots):
    # given an article that was read once
    await newsroom.file(published(), *numbered(60))
    await store.render(SLUG)
    await snapshots.read_article(SLUG)
    await newsroom.file(posted("new"))
    await store.render(SLUG)
    asked: list[str] = []
    hmget = newsroom.redis.hmget

    async def listening(key: str, fields: list[str]) -> Any:
        asked.extend(fields if key == newsroom.keys().updates else [])
        return await hmget(key, fields)

    newsroom.redis.hmget = listening
    # when it is read after one more update
    article = await snapshots.read_article(SLUG)
    # then only that one comes from the engine
    assert [ref.partition("@")[0] for ref in asked] == ["new"]
    assert article == await newsroom.replayed()


async def test_the_cache_of_updates_keeps_the_ones_used_last(newsroom, store):
    # given room for two updates
    snapshots = Snapshots(newsroom.redis, newsroom.lanes, cached=2)
    await newsroom.file(published(), *numbered(3))
    await store.render(SLUG)
    # when an article of three is read
    article = await snapshots.read_article(SLUG)
    # then it is whole all the same, and two are kept
    assert article == await newsroom.replayed()
    assert len(snapshots._forms._kept) == 2


# One version


async def test_a_commit_between_pages_and_updates_makes_the_reader_start_over(
    newsroom, store, snapshots
):
    # given a reader that has read the pages
    await newsroom.file(published(), posted("a", "Old text."))
    await store.render(SLUG)
    hmget = newsroom.redis.hmget

    async def overtaken(key: str, fields: Any, *more: Any) -> Any:
        if key == newsroom.keys().updates:
            newsroom.redis.hmget = hmget
            await newsroom.file(corrected("a", "New text."))
            await store.render(SLUG)
        return await hmget(key, fields, *more)

    newsroom.redis.hmget = overtaken
    # when the update that it is about to fetch is superseded
    article = await snapshots.read_article(SLUG)
    # then it reads the article as it is after that
    assert article == await newsroom.replayed()
    assert article.updates["a"].copy.text == "New text."


async def test_a_kill_between_pages_and_updates_is_what_the_reader_gets(newsroom, store, snapshots):
    # given a reader that has read the pages
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    hmget = newsroom.redis.hmget

    async def overtaken(key: str, fields: Any, *more: Any) -> Any:
        if key == newsroom.keys().updates:
            newsroom.redis.hmget = hmget
            await newsroom.file(killed())
            await store.render(SLUG)
        return await hmget(key, fields, *more)

    newsroom.redis.hmget = overtaken
    # when the article is killed before it has the updates
    article = await snapshots.read_article(SLUG)
    # then it gets none
    assert article.head.status == "killed"
    assert not article.updates


async def test_a_reader_that_is_always_overtaken_gives_up_with_an_error_that_says_so(
    newsroom, store, snapshots
):
    # given an article that a writer changes before every fetch
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    hmget = newsroom.redis.hmget

    async def losing(key: str, fields: Any, *more: Any) -> Any:
        found = await hmget(key, fields, *more)
        return [None] * len(found) if key == newsroom.keys().updates else found

    newsroom.redis.hmget = losing
    # when it is read
    # then the reader is told to come again
    with pytest.raises(TryAgain, match="harbour-bridge"):
        await snapshots.read_article(SLUG)
    with pytest.raises(TryAgain):
        await snapshots.changed_since(SLUG, Mark(1))
