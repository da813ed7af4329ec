"""What has changed since a version: read at one moment, in few steps."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from services.render.store import Store
from shared.article.article import Mark
from shared.runtime.snapshots import Change, Snapshots
from tests.builders import (
    SLUG,
    corrected,
    numbered,
    pinned,
    posted,
    published,
    retracted,
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


def told(changes: tuple[Change, ...]) -> Told:
    return [(each.kind, each.follows, each.update.update_id) for each in changes]


# One version


def committing_between(newsroom: Newsroom, store: Store, *events: dict[str, Any]) -> None:
    """Have *events* committed before the next single read of several fields."""
    engine: Any = newsroom.redis
    hmget = engine.hmget

    async def commit_between(key: str, fields: Any, *more: Any) -> Any:
        engine.hmget = hmget
        await newsroom.file(*events)
        await store.render(SLUG)
        return await hmget(key, fields, *more)

    engine.hmget = commit_between


async def test_changes_that_were_found_in_one_step_are_of_that_moment(newsroom, store, snapshots):
    # given a reader of version 3 that has read what changed, near the end
    await newsroom.file(published(), posted("a"), posted("b"), posted("c"))
    await store.render(SLUG)
    before = (await newsroom.replayed()).head
    committing_between(newsroom, store, posted("d"), pinned("b"))
    # when a commit comes before it has the updates
    changes = await snapshots.changed_since(SLUG, Mark(3))
    # then all of it is of the earlier version
    assert changes.head == before
    assert told(changes.changes) == [("added", "b", "c")]


async def test_changes_are_never_of_two_versions(newsroom, store, snapshots):
    # given a reader that has read what changed, far from where it looked for it
    await newsroom.file(published(), *numbered(120))
    await store.render(SLUG)
    committing_between(newsroom, store, posted("d"), pinned("u2"))
    # when a commit comes before it has the updates
    changes = await snapshots.changed_since(SLUG, Mark(120))
    # then all of it is of the later version
    assert changes.head == (await newsroom.replayed()).head
    assert told(changes.changes) == [
        ("changed", None, "u2"),
        ("added", "u119", "u120"),
        ("added", "u120", "d"),
    ]


async def test_what_changed_is_read_in_two_steps_wherever_the_article_ends(
    newsroom, store, snapshots
):
    # given a reader of a long article, who was told of its last change
    await newsroom.file(published(), *numbered(120))
    await store.render(SLUG)
    await snapshots.changed_since(SLUG, Mark(120))
    await newsroom.file(posted("d"))
    await store.render(SLUG)
    steps = counted_steps(newsroom)
    # when it is told of the next one
    await snapshots.changed_since(SLUG, Mark(121))
    # then that took one step to find it, and one to read it
    assert steps == ["transaction", "hmget"]


def counted_steps(newsroom: Newsroom) -> list[str]:
    """Return a list to which each read of several things is noted from now on."""
    steps: list[str] = []
    engine: Any = newsroom.redis
    hmget, pipeline = engine.hmget, engine.pipeline

    def noted_hmget(key: str, fields: Any, *more: Any) -> Any:
        steps.append("hmget")
        return hmget(key, fields, *more)

    def noted_pipeline(**options: Any) -> Any:
        steps.append("transaction")
        return pipeline(**options)

    engine.hmget, engine.pipeline = noted_hmget, noted_pipeline
    return steps


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
