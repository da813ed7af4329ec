"""The sweeper: what no wake-up brings is rendered all the same, and nothing stays stranded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from services.render.consume import make_groups
from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper, Timing
from shared.runtime.engine import Engine
from shared.runtime.keys import RENDER_GROUP
from shared.runtime.redis import connect
from tests.builders import SLUG, corrected, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom, pending, take_wakeups
from tests.waiting import until

AT_ONCE = Timing(sweep_seconds=0.01, tidy_seconds=0.05, dirty_ms=0, stranded_ms=0)


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    newsroom = await open_newsroom(redis)
    await make_groups(redis, newsroom.lanes)
    return newsroom


def make_sweeper(newsroom: Newsroom, timing: Timing = AT_ONCE) -> Sweeper:
    redis, lanes = newsroom.redis, newsroom.lanes
    return Sweeper(redis, lanes, Rendering(redis, lanes, Store(redis, lanes)), timing)


@pytest.fixture
def sweeper(newsroom: Newsroom) -> Sweeper:
    return make_sweeper(newsroom)


# Wake-ups that were lost


async def trimmed(newsroom: Newsroom) -> None:
    await newsroom.redis.xtrim(newsroom.keys().lane.events, maxlen=0, approximate=False)


async def group_destroyed(newsroom: Newsroom) -> None:
    await newsroom.redis.xgroup_destroy(newsroom.keys().lane.events, RENDER_GROUP)


async def stream_deleted(newsroom: Newsroom) -> None:
    await newsroom.redis.delete(newsroom.keys().lane.events)


async def consumer_deleted(newsroom: Newsroom) -> None:
    lane = newsroom.keys().lane
    await take_wakeups(newsroom.redis, lane)
    await newsroom.redis.xgroup_delconsumer(lane.events, RENDER_GROUP, "one")


@pytest.mark.parametrize("lose", [trimmed, group_destroyed, stream_deleted, consumer_deleted])
async def test_an_article_whose_wakeups_were_lost_is_rendered(newsroom, sweeper, lose):
    # given events whose wake-ups nobody will ever get
    await newsroom.file(published(), posted("a"))
    await lose(newsroom)
    # when the sweeper has gone round
    await sweeper.sweep()
    # then the article is there, and the lane is as it should be
    assert await newsroom.version() == 2
    assert not await newsroom.dirty()
    [group] = await newsroom.redis.xinfo_groups(newsroom.keys().lane.events)
    assert group["name"] == RENDER_GROUP.encode()


async def test_a_group_is_made_anew_at_the_beginning_so_that_nothing_is_skipped(newsroom, sweeper):
    # given a group that is gone, and entries in its stream
    await newsroom.file(published(), posted("a"))
    await group_destroyed(newsroom)
    # when the sweeper has made it anew
    await sweeper.sweep()
    # then it delivers them
    wakeups = await take_wakeups(newsroom.redis, newsroom.keys().lane)
    assert [seq for _, seq in wakeups] == [1, 2]


async def test_what_has_just_been_filed_is_left_to_its_wakeup(newsroom):
    # given an event of this moment
    await newsroom.file(published())
    # when a sweeper goes round that gives wake-ups an hour
    await make_sweeper(newsroom, Timing(dirty_ms=3_600_000)).sweep()
    # then it has not meddled
    assert await newsroom.version() == 0


# Wake-ups that are stranded


async def test_wakeups_of_a_consumer_that_died_are_acked_once_they_are_covered(newsroom, sweeper):
    # given wake-ups that a consumer took and did not ack, of an article that others rendered
    await newsroom.file(published(), posted("a"))
    lane = newsroom.keys().lane
    await take_wakeups(newsroom.redis, lane, "dead")
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    # when the sweeper has gone round
    await sweeper.sweep()
    # then none is left
    assert await pending(newsroom.redis, lane) == []


async def test_wakeups_of_a_consumer_that_died_are_rendered_if_nobody_else_has(newsroom):
    # given wake-ups that were taken and not rendered, and an article that seems not to be behind
    await newsroom.file(published(), posted("a"))
    lane = newsroom.keys().lane
    await take_wakeups(newsroom.redis, lane, "dead")
    await newsroom.redis.delete(lane.dirty)
    # when the sweeper has gone round
    await make_sweeper(newsroom).sweep()
    # then it is rendered, and they are acked
    assert await newsroom.version() == 2
    assert await pending(newsroom.redis, lane) == []


async def test_wakeups_that_somebody_has_just_taken_are_left_to_them(newsroom):
    # given wake-ups of this moment
    await newsroom.file(published())
    lane = newsroom.keys().lane
    await take_wakeups(newsroom.redis, lane, "living")
    # when a sweeper goes round that gives them ten seconds
    await make_sweeper(newsroom, Timing(dirty_ms=3_600_000)).sweep()
    # then they are still theirs
    assert len(await pending(newsroom.redis, lane)) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"article": SLUG},
        {"article": "No Slug", "seq": 1},
        {"__data__": b"\xff\x00"},
        {"article": SLUG, "seq": "9" * 40},
    ],
)
async def test_entries_that_are_no_wakeups_do_not_stay_pending(newsroom, sweeper, entry):
    # given something else in the stream, taken by somebody
    lane = newsroom.keys().lane
    await newsroom.redis.xadd(lane.events, entry)
    await take_wakeups_of_anything(newsroom)
    # when the sweeper has gone round
    await sweeper.sweep()
    # then it is out of the way
    assert await pending(newsroom.redis, lane) == []


async def take_wakeups_of_anything(newsroom: Newsroom) -> None:
    events = newsroom.keys().lane.events
    await newsroom.redis.xreadgroup(RENDER_GROUP, "one", {events: ">"})


async def test_a_wakeup_in_another_articles_lane_is_dropped_there(newsroom, sweeper):
    # given a wake-up in a lane that its article is not in
    other = next(lane for lane in newsroom.lanes if lane != newsroom.keys().lane)
    await newsroom.redis.xadd(other.events, {"article": SLUG, "seq": 1})
    await take_wakeups(newsroom.redis, other)
    # when the sweeper has gone round
    await sweeper.sweep()
    # then it is out of the way
    assert await pending(newsroom.redis, other) == []


async def test_a_stranded_wakeup_whose_entry_was_trimmed_is_acked(newsroom, sweeper):
    # given a wake-up that was taken, and trimmed from the stream
    await newsroom.file(published())
    lane = newsroom.keys().lane
    await take_wakeups(newsroom.redis, lane)
    await trimmed(newsroom)
    # when the sweeper has gone round
    await sweeper.sweep()
    # then it does not keep the stream from being trimmed for ever
    assert await pending(newsroom.redis, lane) == []


async def test_more_stranded_wakeups_than_one_sweep_takes_are_all_reached(
    newsroom, sweeper, monkeypatch
):
    # given ten stranded wake-ups, of which the first belong to an article that can't be rendered
    monkeypatch.setattr("services.render.sweep.ENTRIES_A_SWEEP", 3)
    lane = newsroom.keys().lane
    await newsroom.file(published(), *[posted(f"u{number}") for number in range(6)])
    await newsroom.redis.delete(newsroom.keys().ledger)
    good = next(
        slug for slug in map("port-{}".format, range(99)) if newsroom.lanes.of(slug) == lane
    )
    await newsroom.file(published(slug=good))
    await take_wakeups(newsroom.redis, lane, "dead")
    # when the sweeper goes round
    for _ in range(3):
        await sweeper.sweep()
    # then the last one's turn has come though the first are stuck
    assert len(await pending(newsroom.redis, lane)) == 7
    assert not await newsroom.dirty(good)


# Trouble


async def test_an_article_that_cannot_be_rendered_does_not_hold_up_the_others(
    newsroom, sweeper, monkeypatch
):
    # given the oldest article without its ledger, and a sweeper that takes one at a time
    monkeypatch.setattr("services.render.sweep.ARTICLES_A_SWEEP", 1)
    lane = newsroom.keys().lane
    await newsroom.file(published())
    await newsroom.redis.delete(newsroom.keys().ledger)
    await newsroom.redis.zadd(lane.dirty, {SLUG: 1})
    good = next(
        slug for slug in map("port-{}".format, range(99)) if newsroom.lanes.of(slug) == lane
    )
    await newsroom.file(published(slug=good))
    # when it goes round
    with capture_logs() as logs:
        await sweeper.sweep()
        await sweeper.sweep()
    # then the other one is rendered, and the first is spoken of
    assert await newsroom.version(good) == 1
    assert await newsroom.dirty()
    assert ("article.postponed", SLUG) in [(line["event"], line.get("article")) for line in logs]


async def test_an_update_that_cannot_be_read_is_mended_without_a_word_of_copy(newsroom, sweeper):
    # given an update whose stored form is damaged
    await newsroom.file(published(), posted("a", "canary"))
    await sweeper.sweep()
    keys = newsroom.keys()
    ref = await newsroom.redis.hget(keys.updates, "a")
    await newsroom.redis.hset(keys.updates, ref, '"canary"')
    # when it is corrected
    await newsroom.file(corrected("a", "The canary lives."))
    with capture_logs() as logs:
        await sweeper.sweep()
    # then the article was folded anew, and the log says only that
    assert await newsroom.version() == 3
    assert "article.damaged" in [line["event"] for line in logs]
    assert "canary" not in str(logs)


async def test_the_sweeper_works_on_after_the_engine_was_away(tmp_path: Path):
    # given a sweeper at work
    with Engine(tmp_path / "engine") as engine:
        client = connect(engine.url, retries=1)
        newsroom = await open_newsroom(client)
        await make_groups(client, newsroom.lanes)
        task = asyncio.create_task(make_sweeper(newsroom).run())
        await newsroom.file(published())
        await until(lambda: is_at(newsroom, 1))
        # when the engine is killed and comes back
        with capture_logs() as logs:
            engine.kill()
            await until(lambda: any(line["event"] == "sweep.postponed" for line in logs))
        engine.start()
        await newsroom.file(posted("a"))
        # then what is filed afterwards is rendered
        await until(lambda: is_at(newsroom, 2))
        task.cancel()
        await asyncio.wait({task})
        await client.aclose()


async def is_at(newsroom: Newsroom, version: int) -> bool:
    return await newsroom.version() == version


# Tidying


async def test_consumers_that_are_silent_and_have_nothing_pending_are_forgotten(newsroom):
    # given one that has something pending and two that have not
    lane = newsroom.keys().lane
    await newsroom.file(published())
    await take_wakeups(newsroom.redis, lane, "owing")
    for name in ("done", "idle"):
        await newsroom.redis.xgroup_createconsumer(lane.events, RENDER_GROUP, name)

    async def names() -> set[bytes]:
        consumers = await newsroom.redis.xinfo_consumers(lane.events, RENDER_GROUP)
        return {consumer["name"] for consumer in consumers}

    # when they have been silent for an hour, or for a moment
    await make_sweeper(newsroom).tidy()
    after_a_moment = await names()
    await until(lambda: silent(newsroom))
    await make_sweeper(newsroom, Timing(silent_ms=1)).tidy()
    # then the one that owes something is never forgotten
    assert after_a_moment == {b"owing", b"done", b"idle"}
    assert await names() == {b"owing"}


async def silent(newsroom: Newsroom) -> bool:
    events = newsroom.keys().lane.events
    consumers = await newsroom.redis.xinfo_consumers(events, RENDER_GROUP)
    return all(consumer["idle"] > 1 for consumer in consumers)


async def test_both_streams_of_a_lane_are_trimmed_in_time(newsroom):
    # given rendered events from long ago in wake-ups and outbox
    lane = newsroom.keys().lane
    for stream in (lane.events, lane.changes):
        await newsroom.redis.xadd(stream, {"article": SLUG, "seq": 1}, id="1-0")
    await newsroom.file(published(cadence_seconds=None))
    await Store(newsroom.redis, newsroom.lanes).render(
        SLUG, await take_wakeups(newsroom.redis, lane)
    )
    # when a sweeper runs
    task = asyncio.create_task(make_sweeper(newsroom).run())

    async def lengths() -> list[int]:
        return [await newsroom.redis.xlen(stream) for stream in (lane.events, lane.changes)]

    # then the entries of long ago go, and those of today stay
    await until(lambda: trimmed_to(lengths, [1, 1]))
    task.cancel()
    await asyncio.wait({task})


async def trimmed_to(lengths, expected: list[int]) -> bool:
    return bool(await lengths() == expected)


async def test_an_outbox_entry_says_in_plain_fields_what_changed(newsroom, sweeper):
    # given an article that the sweeper rendered
    await newsroom.file(published(cadence_seconds=None))
    await sweeper.sweep()
    # when anybody reads the outbox
    [(_, entry)] = await newsroom.redis.xrange(newsroom.keys().lane.changes)
    # then any client in any language can: no envelope, no binary
    assert entry.keys() == {b"article", b"from", b"to", b"chain", b"head", b"kinds"}
    assert orjson.loads(entry[b"head"])["headline"] == "Harbour bridge reopens"
