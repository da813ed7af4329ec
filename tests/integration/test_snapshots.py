"""Reading what is committed: one version at a time, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.render.store import Store
from shared.article.article import Mark, newest_numbers
from shared.contract.errors import TryAgain
from shared.runtime.snapshots import Change, Snapshots
from tests.builders import (
    SLUG,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
    unpinned,
    writethru,
)
from tests.integration.newsroom import Newsroom, open_newsroom

Told = list[tuple[str, str | None, str]]


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    return await open_newsroom(redis)


@pytest.fixture
def store(newsroom: Newsroom) -> Store:
    return Store(newsroom.redis, newsroom.lanes)


@pytest.fixture
def snapshots(newsroom: Newsroom) -> Snapshots:
    return Snapshots(newsroom.redis, newsroom.lanes)


def numbered(count: int) -> list[dict[str, Any]]:
    return [posted(f"u{number}") for number in range(1, count + 1)]


def told(changes: tuple[Change, ...]) -> Told:
    return [(each.kind, each.follows, each.update.update_id) for each in changes]


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


async def test_changes_are_never_of_two_versions(newsroom, store, snapshots):
    # given a reader of version 3 that has read what changed
    await newsroom.file(published(), posted("a"), posted("b"), posted("c"))
    await store.render(SLUG)

    async def commit_between(key: str, fields: Any, *more: Any) -> Any:
        newsroom.redis.hmget = hmget
        await newsroom.file(posted("d"), pinned("b"))
        await store.render(SLUG)
        return await hmget(key, fields, *more)

    hmget = newsroom.redis.hmget
    newsroom.redis.hmget = commit_between
    # when a commit comes before it has the updates
    changes = await snapshots.changed_since(SLUG, Mark(3))
    # then all of it is of the later version
    assert changes.head == (await newsroom.replayed()).head
    assert told(changes.changes) == [
        ("changed", None, "b"),
        ("added", "a", "c"),
        ("added", "c", "d"),
    ]


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


# What has changed


@pytest.fixture
async def since(newsroom, store, snapshots):
    """File what follows on an article of four updates, and tell what a reader of it lacks."""

    async def since(*envelopes: dict[str, Any], order: str = "oldest-first") -> Told:
        await newsroom.file(published(update_order=order), *numbered(4))
        await store.render(SLUG)
        await newsroom.file(*envelopes)
        await store.render(SLUG)
        changes = await snapshots.changed_since(SLUG, Mark(5))
        assert not changes.reset
        return told(changes.changes)

    return since


async def test_a_post_follows_the_one_before_it(since):
    assert await since(posted("u5"), posted("u6")) == [
        ("added", "u4", "u5"),
        ("added", "u5", "u6"),
    ]


async def test_turned_round_a_post_comes_first_and_the_others_follow_it(since):
    assert await since(posted("u5"), posted("u6"), order="newest-first") == [
        ("added", None, "u6"),
        ("added", "u6", "u5"),
    ]


async def test_a_correction_stays_in_its_place(since):
    assert await since(corrected("u2"), corrected("u1")) == [
        ("changed", None, "u1"),
        ("changed", "u1", "u2"),
    ]


async def test_a_retraction_is_told_as_one_even_of_an_update_that_the_reader_never_saw(since):
    assert await since(posted("u5"), retracted("u5"), retracted("u2")) == [
        ("retracted", "u1", "u2"),
        ("retracted", "u4", "u5"),
    ]


async def test_a_pinned_update_stands_first_and_its_old_neighbour_closes_up(since):
    assert await since(pinned("u2"), corrected("u3")) == [
        ("changed", None, "u2"),
        ("changed", "u1", "u3"),
    ]


async def test_the_first_update_follows_the_pinned_one(since):
    assert await since(pinned("u2"), corrected("u1")) == [
        ("changed", None, "u2"),
        ("changed", "u2", "u1"),
    ]


async def test_the_second_update_follows_a_pinned_first_one(since):
    assert await since(pinned("u1"), corrected("u2")) == [
        ("changed", None, "u1"),
        ("changed", "u1", "u2"),
    ]


async def test_turned_round_the_newest_follows_the_pinned_one(since):
    assert await since(pinned("u4"), posted("u5"), corrected("u3"), order="newest-first") == [
        ("changed", None, "u4"),
        ("added", "u4", "u5"),
        ("changed", "u5", "u3"),
    ]


async def test_an_update_that_was_unpinned_goes_back(since):
    assert await since(pinned("u3"), pinned("u2"), unpinned("u2")) == [
        ("changed", "u1", "u2"),
        ("changed", "u2", "u3"),
    ]


async def test_the_body_comes_along_only_if_it_changed(newsroom, store, snapshots):
    # given an article
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    # when its headline is replaced, and then its copy
    await newsroom.file(writethru(headline="Another"))
    await store.render(SLUG)
    headline_only = await snapshots.changed_since(SLUG, Mark(2))
    await newsroom.file(writethru(body="Another."))
    await store.render(SLUG)
    copy_too = await snapshots.changed_since(SLUG, Mark(2))
    # then the body is told the second time
    assert headline_only.body is None
    assert headline_only.head.headline == "Another"
    assert copy_too.body == (await newsroom.replayed()).body


async def test_a_reader_that_is_up_to_date_lacks_nothing(newsroom, store, snapshots):
    # given a reader of the version that is committed
    await newsroom.file(published(timezone="Europe/London"), posted("a"), writethru(locale="en-GB"))
    await store.render(SLUG)
    head = await snapshots.read_head(SLUG)
    # when it asks
    changes = await snapshots.changed_since(SLUG, Mark(3, head.chain[:12]))
    # then there is nothing, and no need to load the page
    assert (changes.head.version, changes.reset, changes.changes) == (3, False, ())


async def test_a_reader_of_nothing_gets_everything(newsroom, store, snapshots):
    # given an article, rearranged meanwhile
    await newsroom.file(published(), posted("a"), writethru(timezone="Europe/London"))
    await store.render(SLUG)
    # when a reader of version 0 asks
    changes = await snapshots.changed_since(SLUG, Mark())
    # then it gets body and updates, since it shows nothing that could be wrong
    assert told(changes.changes) == [("added", None, "a")]
    assert changes.body is not None


@pytest.mark.parametrize(
    "since",
    [Mark(9), Mark(2, "000000000000"), Mark(9, "000000000000"), Mark(2, "nonsense")],
)
async def test_a_version_that_is_not_ours_has_to_load_the_page(newsroom, store, snapshots, since):
    # given an article at version 3
    await newsroom.file(published(), posted("a"), posted("b"))
    await store.render(SLUG)
    # when a reader asks who is ahead of us, or of another history
    changes = await snapshots.changed_since(SLUG, since)
    # then nothing can be told
    assert changes.reset
    assert changes.changes == ()


async def test_a_reader_of_our_chain_is_told_what_it_lacks(newsroom, store, snapshots):
    # given a reader that names version and chain
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    head = await snapshots.read_head(SLUG)
    await newsroom.file(posted("b"))
    await store.render(SLUG)
    # when it asks
    changes = await snapshots.changed_since(SLUG, Mark(2, head.chain[:12]))
    # then it is one of ours
    assert told(changes.changes) == [("added", "a", "b")]


@pytest.mark.parametrize(
    "fact", [{"timezone": "Asia/Tokyo"}, {"locale": "de-DE"}, {"update_order": "newest-first"}]
)
async def test_a_new_zone_locale_or_order_changes_every_line_so_the_page_is_loaded(
    newsroom, store, snapshots, fact
):
    # given a reader from before
    await newsroom.file(published(), posted("a"), posted("b"))
    await store.render(SLUG)
    await newsroom.file(writethru(**fact), posted("c"))
    await store.render(SLUG)
    # when it asks, and one from after asks too
    before = await snapshots.changed_since(SLUG, Mark(3))
    after = await snapshots.changed_since(SLUG, Mark(4))
    # then only the first has to load the page
    assert (before.reset, after.reset) == (True, False)
    assert await snapshots.read_article(SLUG) == await newsroom.replayed()


async def test_more_changes_than_can_be_told_are_a_reset(newsroom, store, snapshots):
    # given a reader three updates behind
    await newsroom.file(published(), *numbered(3))
    await store.render(SLUG)
    # when at most two, and at most three, may be told
    two = await snapshots.changed_since(SLUG, Mark(1), limit=2)
    three = await snapshots.changed_since(SLUG, Mark(1), limit=3)
    # then the one is too much, and the other is told
    assert (two.reset, len(two.changes)) == (True, 0)
    assert (three.reset, len(three.changes)) == (False, 3)
