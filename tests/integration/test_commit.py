"""The commit: all of it or nothing, and nothing at all for whoever was overtaken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.render.consume import make_groups
from services.render.store import Store
from services.render.verify import verify
from shared.article.fold import FOLD_REVISION
from shared.article.stored import link_of
from shared.runtime.engine import Engine
from shared.runtime.keys import Lane
from shared.runtime.redis import connect
from shared.runtime.scripts import Script
from shared.runtime.snapshots import Snapshots
from tests.builders import (
    SLUG,
    corrected,
    killed,
    posted,
    published,
    records,
    retracted,
    writethru,
)
from tests.integration.newsroom import (
    Newsroom,
    before_the_next_script,
    dump,
    open_newsroom,
    pending,
    take_wakeups,
)


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    return await open_newsroom(redis)


@pytest.fixture
def store(newsroom: Newsroom) -> Store:
    return Store(newsroom.redis, newsroom.lanes)


@pytest.fixture
async def other(engine: Engine, newsroom: Newsroom) -> AsyncIterator[Store]:
    """A second renderer, with a connection of its own."""
    client = connect(engine.url)
    yield Store(client, newsroom.lanes)
    await client.aclose()


async def matches_ledger(newsroom: Newsroom) -> bool:
    """Whether readers get what the ledger gives, and the engine holds that and no more."""
    stored = await Snapshots(newsroom.redis, newsroom.lanes).read_article(SLUG)
    differences = (await verify(newsroom.redis, newsroom.lanes, newsroom.key, SLUG)).differences
    return (stored, differences) == (await newsroom.replayed(), [])


# The verdicts, one condition at a time

LEDGER = list(records(published(id="e1"), posted("a", id="e2"), posted("b", id="e3")))
CHAINS = ["", *(link_of(record).chain for record in LEDGER)]
ELSEWHERE = "0" * 40


@pytest.mark.parametrize(
    ("verdict", "start", "end", "facts"),
    [
        ("committed", (2, CHAINS[2]), (3, CHAINS[3]), {}),
        ("acked", (2, CHAINS[2]), (2, CHAINS[2]), {}),
        ("stale", (1, CHAINS[2]), (3, CHAINS[3]), {}),
        ("fork", (2, ELSEWHERE), (3, CHAINS[3]), {}),
        ("fork", (2, CHAINS[2]), (3, ELSEWHERE), {}),
        ("fork", (2, CHAINS[2]), (4, CHAINS[3]), {}),
        ("missing", (2, CHAINS[2]), (3, CHAINS[3]), {"updates": [("b", "b@3", 3, 0, 0)]}),
        ("missing", (2, CHAINS[2]), (3, CHAINS[3]), {"body": ":body@3"}),
        ("newer", (2, CHAINS[2]), (3, CHAINS[3]), {"rev": 6, "replace": True}),
        ("stale", (2, CHAINS[2]), (3, CHAINS[3]), {"rev": 8}),
        ("committed", (2, CHAINS[2]), (3, CHAINS[3]), {"rev": 8, "replace": True}),
        ("committed", (2, CHAINS[2]), (2, CHAINS[2]), {"replace": True}),
        ("fork", (2, ELSEWHERE), (3, CHAINS[3]), {"rev": 8, "replace": True}),
    ],
)
async def test_the_script_commits_only_onto_the_version_chain_and_fold_that_were_folded(
    newsroom, verdict, start, end, facts
):
    # given an article of three events, of which two are committed by fold 7
    keys, lane = newsroom.keys(), newsroom.keys().lane
    await newsroom.redis.rpush(keys.ledger, *LEDGER)
    committed = {"version": 2, "version_chain": CHAINS[2], "rev": 7}
    await newsroom.redis.hset(keys.article, mapping={"seq": 3, "chain": CHAINS[3], **committed})
    await newsroom.redis.hset(keys.updates, "b@2", "other bytes")
    before = await dump(newsroom.redis)
    plan = {
        "rev": 7, "replace": False, "killed": False, "kinds": "", "group": "render",
        "quarantined": "", "updates": [], "superseded": [], "pages": [], "acks": [], **facts,
    }  # fmt: skip
    # when a fold that began at start and went to end is committed
    result, *_ = await Script("services.render", "commit.lua").run(
        newsroom.redis,
        [
            keys.article, keys.ledger, keys.state, keys.updates, keys.pages,
            keys.changed, lane.changes, lane.events, lane.dirty, lane.latest,
            keys.noted, keys.key_events, lane.quarantined, *lane.promises,
        ],
        [SLUG, *start, *end, "{}", "{}", orjson.dumps(plan)],
    )  # fmt: skip
    # then that is its verdict, and without a commit nothing is written
    assert result.decode() == verdict
    assert (await dump(newsroom.redis) == before) == (verdict != "committed")


# Committed


async def test_a_commit_brings_state_outbox_latest_news_and_the_end_of_being_behind(
    newsroom, store
):
    # given two events that were filed
    await newsroom.file(published(), posted("a"))
    # when they are rendered
    await store.render(SLUG)
    # then the outbox tells of both, the article is listed, and it is not behind any more
    lane = newsroom.keys().lane
    [(_, entry)] = await newsroom.redis.xrange(lane.changes)
    assert (entry[b"article"], entry[b"from"], entry[b"to"]) == (SLUG.encode(), b"0", b"2")
    assert entry[b"kinds"] == b"writethru.article.published,writethru.update.posted"
    assert entry[b"head"].startswith(b'{"article":"harbour-bridge","version":2,')
    head = (await newsroom.replayed()).head
    score = await newsroom.redis.zscore(lane.latest, SLUG)
    assert score == head.updated_at.timestamp() * 1_000_000
    assert not await newsroom.dirty()
    assert await matches_ledger(newsroom)


async def test_superseded_forms_are_gone_with_the_commit(newsroom, store):
    # given a rendered article
    await newsroom.file(published(body="Old body."), posted("a", "Old text."))
    await store.render(SLUG)
    # when both its copy and its update are replaced
    await newsroom.file(corrected("a", "New text."), writethru(body="New body."))
    await store.render(SLUG)
    # then the engine holds one pointer and one form of each
    assert len(await newsroom.redis.hkeys(newsroom.keys().updates)) == 3
    assert await matches_ledger(newsroom)


# Stale


async def test_a_second_renderer_of_the_same_events_writes_nothing(newsroom, store, other):
    # given a renderer that has folded two events and is about to commit
    await newsroom.file(published(), posted("a"))
    between: dict[str, Any] = {}

    async def overtake() -> None:
        await other.render(SLUG)
        between.update(await dump(newsroom.redis))

    before_the_next_script(newsroom.redis, overtake)
    # when another one commits first
    await store.render(SLUG)
    # then what that one wrote is all there is
    assert await dump(newsroom.redis) == between


async def test_a_renderer_overtaken_by_a_longer_fold_takes_its_bytes_back(newsroom, store, other):
    # given a renderer that has written a form ahead of its commit
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    await newsroom.file(corrected("a", "First form."))

    async def overtake() -> None:
        await newsroom.file(corrected("a", "Second form."))
        await other.render(SLUG)

    before_the_next_script(newsroom.redis, overtake)
    # when another one commits that form and the next in one go
    await store.render(SLUG)
    # then only the second form is left
    texts = b" ".join((await newsroom.redis.hgetall(newsroom.keys().updates)).values())
    assert b"First form." not in texts
    assert await matches_ledger(newsroom)


async def test_a_commit_repeated_after_a_lost_reply_is_harmless(newsroom, store):
    # given a connection that loses the reply to a commit
    await newsroom.file(published(), posted("a"))
    run = newsroom.redis.evalsha

    async def twice(*words: Any) -> Any:
        newsroom.redis.evalsha = run
        await run(*words)
        return await run(*words)

    newsroom.redis.evalsha = twice
    # when it is sent again
    await store.render(SLUG)
    # then it took effect once
    assert await newsroom.redis.xlen(newsroom.keys().lane.changes) == 1
    assert await matches_ledger(newsroom)


async def test_a_ref_without_bytes_never_becomes_current(newsroom, store):
    # given a renderer whose bytes were taken away before its commit
    await newsroom.file(published(), posted("a"))
    before_the_next_script(newsroom.redis, lambda: newsroom.redis.delete(newsroom.keys().updates))
    # when it commits
    await store.render(SLUG)
    # then it had to write them again
    assert await matches_ledger(newsroom)


# Fork


async def rewind(newsroom: Newsroom, kept: dict[str, bytes]) -> None:
    """Bring the article back to *kept*, as a failover that lost the last writes does."""
    names: Any = await newsroom.redis.keys(f"*:{SLUG}")
    await newsroom.redis.delete(*names)
    for name, value in kept.items():
        await newsroom.redis.restore(name, 0, value, replace=True)


async def keep(newsroom: Newsroom) -> dict[str, bytes]:
    names: Any = await newsroom.redis.keys(f"*:{SLUG}")
    return {name.decode(): await newsroom.redis.dump(name) or b"" for name in names}


async def test_a_warm_renderer_notices_that_the_version_it_knows_is_of_another_history(
    newsroom, store, other
):
    # given a renderer that knows version 3 of a timeline that a failover then lost
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    kept = await keep(newsroom)
    await newsroom.file(posted("lost", "canary"))
    await store.render(SLUG)
    await rewind(newsroom, kept)
    # when version 3 of the new timeline comes from another renderer, and 4 is filed
    await newsroom.file(posted("b"))
    await other.render(SLUG)
    await newsroom.file(posted("c"))
    await store.render(SLUG)
    # then the article is that of the new timeline
    assert await matches_ledger(newsroom)
    assert b"canary" not in b"".join(
        (await newsroom.redis.hgetall(newsroom.keys().updates)).values()
    )


async def test_a_fold_of_a_tail_that_was_lost_is_not_committed(newsroom, store):
    # given a renderer that has folded an event
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    kept = await keep(newsroom)
    await newsroom.file(posted("lost", "canary"))

    async def fail_over() -> None:
        await rewind(newsroom, kept)
        await newsroom.file(posted("b"))

    before_the_next_script(newsroom.redis, fail_over)
    # when the ledger grows another tail before the commit
    await store.render(SLUG)
    # then the new tail is what readers get, and nothing is left of the old one
    assert await matches_ledger(newsroom)
    assert "canary" not in str(await dump(newsroom.redis, but=[newsroom.keys().lane.events]))


async def test_state_of_a_history_that_the_ledger_does_not_have_is_replaced(newsroom, store):
    # given a state of one timeline beside the ledger of another
    await newsroom.file(published(), posted("a", "canary"))
    await store.render(SLUG)
    keys = newsroom.keys()
    committed = await newsroom.redis.hmget(keys.article, "version", "version_chain", "rev")
    await newsroom.redis.delete(keys.ledger, keys.article, keys.posted, keys.seen)
    await newsroom.file(published(), posted("b"), posted("c"))
    fields = dict(zip(("version", "version_chain", "rev"), committed, strict=True))
    await newsroom.redis.hset(keys.article, mapping=fields)
    # when the article is rendered
    await store.render(SLUG)
    # then it is the ledger's, and the outbox says that the history is another
    assert await matches_ledger(newsroom)
    assert "canary" not in str(await dump(newsroom.redis, but=[keys.lane.events, keys.seen]))
    last, before = await newsroom.redis.xrevrange(keys.lane.changes, count=2)
    assert last[1][b"chain"] != before[1][b"chain"]


async def test_a_history_of_the_same_length_still_reaches_the_outbox(newsroom, store):
    # given a state at version 2 beside another ledger of two events
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    keys = newsroom.keys()
    committed = await newsroom.redis.hmget(keys.article, "version", "version_chain", "rev")
    await newsroom.redis.delete(keys.ledger, keys.article, keys.posted, keys.seen)
    await newsroom.file(published(), posted("b"))
    fields = dict(zip(("version", "version_chain", "rev"), committed, strict=True))
    await newsroom.redis.hset(keys.article, mapping=fields)
    # when the article is rebuilt
    await store.rebuild(SLUG)
    # then those who follow are told
    [(_, entry)] = await newsroom.redis.xrevrange(keys.lane.changes, count=1)
    assert (entry[b"from"], entry[b"to"]) == (b"2", b"2")
    assert entry[b"chain"].decode() == (await newsroom.replayed()).head.chain


# Fold revisions


async def test_state_of_a_newer_fold_is_left_alone_and_its_wakeups_are_acked(newsroom, store):
    # given an article that a newer renderer keeps, and wake-ups of what it has rendered
    await make_groups(newsroom.redis, newsroom.lanes)
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    keys = newsroom.keys()
    await newsroom.redis.hset(keys.article, "rev", FOLD_REVISION + 1)
    await newsroom.file(posted("b"))
    wakeups = await take_wakeups(newsroom.redis, keys.lane)
    before = await dump(newsroom.redis)
    # when this older one is woken
    await store.render(SLUG, wakeups)
    # then it writes nothing, and leaves the third wake-up to those who can render it
    assert await dump(newsroom.redis) == before
    assert await pending(newsroom.redis, keys.lane) == [wakeups[2][0]]


async def test_state_of_an_older_fold_is_folded_again_from_the_first_event(newsroom, store):
    # given an article that was folded by other rules
    await newsroom.file(published(), posted("a"), posted("b"))
    await store.render(SLUG)
    keys = newsroom.keys()
    await newsroom.redis.hset(keys.article, "rev", FOLD_REVISION - 1)
    await newsroom.redis.hset(keys.updates, "a@2.000000000000.r0", b'{"old": "form"}')
    await newsroom.redis.hset(keys.updates, "a", "a@2.000000000000.r0")
    # when one event more is rendered
    await newsroom.file(posted("c"))
    await store.render(SLUG)
    # then all of it is of this fold
    assert await matches_ledger(newsroom)
    assert await newsroom.redis.hget(keys.article, "rev") == str(FOLD_REVISION).encode()
    assert not await newsroom.redis.hexists(keys.updates, "a@2.000000000000.r0")


# Acks


async def test_a_wakeup_is_acked_only_when_the_version_covers_it(newsroom, store):
    # given wake-ups of two events, of which a renderer has read one
    await make_groups(newsroom.redis, newsroom.lanes)
    await newsroom.file(published())
    wakeups = await take_wakeups(newsroom.redis, newsroom.keys().lane)

    async def file_another() -> None:
        await newsroom.file(posted("a"))
        wakeups.extend(await take_wakeups(newsroom.redis, newsroom.keys().lane))

    before_the_next_script(newsroom.redis, file_another)
    # when it commits that one, with both wake-ups at hand
    await store.render(SLUG, [(entry, seq) for entry, seq in wakeups] + [("9-9", 2)])
    # then the second stays pending, and the article behind
    assert await pending(newsroom.redis, newsroom.keys().lane) == [wakeups[1][0]]
    assert await newsroom.dirty()


async def test_a_wakeup_of_what_is_rendered_already_is_acked_without_a_commit(newsroom, store):
    # given a wake-up that comes late
    await make_groups(newsroom.redis, newsroom.lanes)
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    wakeups = await take_wakeups(newsroom.redis, newsroom.keys().lane)
    before = await dump(newsroom.redis)
    # when it is taken
    await store.render(SLUG, wakeups)
    # then it is acked, and nothing is written
    assert await pending(newsroom.redis, newsroom.keys().lane) == []
    assert await dump(newsroom.redis) == before


async def test_a_wakeup_of_an_event_that_was_lost_is_acked_once_the_article_is_caught_up(
    newsroom, store
):
    # given a wake-up beyond the end of the ledger
    await make_groups(newsroom.redis, newsroom.lanes)
    await newsroom.file(published())
    lane = newsroom.keys().lane
    await newsroom.redis.xadd(lane.events, {"article": SLUG, "seq": 7})
    # when it is taken
    await store.render(SLUG, await take_wakeups(newsroom.redis, lane))
    # then it does not stay pending for ever
    assert await pending(newsroom.redis, lane) == []


# All or nothing

#: Which of the keys that a fold is committed with, by their places; and what they are called.
COMMITTING = {
    n: key.partition("}:")[2] for n, key in enumerate(Lane("any").article(SLUG).committing)
}


@pytest.mark.parametrize("place", COMMITTING, ids=COMMITTING.values())
@pytest.mark.parametrize("act", ["correct", "kill", "rebuild"])
async def test_a_key_of_the_wrong_type_leaves_nothing_half_written(newsroom, store, place, act):
    # given a rendered article, another event, and a key that something has spoilt
    await newsroom.file(published(), posted("a"))
    await store.render(SLUG)
    await newsroom.file(killed() if act == "kill" else corrected("a"))
    spoilt = newsroom.keys().committing[place]
    await newsroom.redis.delete(spoilt)
    await newsroom.redis.set(spoilt, "something else")
    before = await dump(newsroom.redis)
    # when it is rendered
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await (store.rebuild(SLUG) if act == "rebuild" else store.render(SLUG))
    # then everything is as before
    assert await dump(newsroom.redis) == before


async def test_an_engine_that_forgot_the_scripts_is_given_them_again(newsroom, store):
    # given an engine that was started anew
    await newsroom.file(published())
    await store.render(SLUG)
    await newsroom.redis.script_flush()
    # when the next event is rendered
    await newsroom.file(posted("a"))
    await store.render(SLUG)
    # then nobody noticed
    assert await matches_ledger(newsroom)


# Kill


async def test_a_kill_leaves_no_copy_but_in_the_ledger_and_what_was_filed(newsroom, store):
    # given an article with a body, updates, a correction and a retraction
    await newsroom.file(
        published(body="canary body"),
        posted("a", "canary a"),
        posted("b", "canary b", sources=[{"n": 1, "url": "https://canary.example"}]),
        corrected("a", "canary mended"),
        retracted("b"),
    )
    await store.render(SLUG)
    # when it is killed
    await newsroom.file(killed())
    await store.render(SLUG)
    # then nothing that a reader's page is made from holds any of it
    keys = newsroom.keys()
    assert "canary" not in str(await dump(newsroom.redis, but=[keys.ledger, keys.lane.events]))
    assert not await newsroom.redis.exists(keys.updates, keys.pages, keys.changed)
    assert await newsroom.redis.zscore(keys.lane.latest, SLUG) is None
    assert await matches_ledger(newsroom)


async def test_a_renderer_that_the_kill_overtakes_leaves_no_copy_behind(newsroom, store, other):
    # given a renderer whose bytes would arrive after a kill has swept
    await newsroom.file(published())
    await store.render(SLUG)
    await newsroom.file(posted("a", "canary"))
    keys = newsroom.keys()
    late: list[Any] = []
    run = newsroom.redis.evalsha

    async def kill_first(*words: Any) -> Any:
        late.extend(words)
        newsroom.redis.evalsha = run
        await newsroom.file(killed())
        await other.render(SLUG)
        return await run(*words)

    newsroom.redis.evalsha = kill_first
    # when it goes on
    await store.render(SLUG)
    # then there are none
    assert "canary" in str(late)
    assert "canary" not in str(await dump(newsroom.redis, but=[keys.ledger, keys.lane.events]))


async def test_copy_left_by_a_renderer_that_died_goes_when_its_wakeup_is_settled(newsroom, store):
    # given a killed article, and bytes of a renderer that died between writing and committing
    await newsroom.file(published(), posted("a", "canary"), killed())
    await store.render(SLUG)
    keys = newsroom.keys()
    await newsroom.redis.hset(keys.updates, "a@2.000000000000.r1", "canary")
    # when the wake-up that it had taken is settled
    await store.render(SLUG, [("1-1", 2)])
    # then they are gone
    assert not await newsroom.redis.exists(keys.updates)
