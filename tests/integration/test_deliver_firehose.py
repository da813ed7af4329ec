"""The changes of all articles, thin, on one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.deliver.core.cursors import START
from services.deliver.firehose import MAX_MISSED
from services.deliver.hub import Hub
from services.deliver.outbox import Entry
from services.deliver.reading import Reading
from shared.runtime.engine import Engine
from tests.builders import SLUG, killed, posted, published, writethru
from tests.integration.newsstand import Event, Newsstand, Stream, open_newsstand
from tests.waiting import until

STORIES = [f"story-{number}" for number in range(6)]


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def next_of(stream: Stream) -> Event:
    event = await stream.event()
    assert event is not None, "the stream has ended"
    return event


async def steps(stream: Stream, count: int) -> list[tuple[str, int, int]]:
    """Return article, from and to of the next *count* changes."""
    found = []
    for _ in range(count):
        event = await next_of(stream)
        assert event.kind == "change"
        found.append((event.data["article"], event.data["from"], event.data["to"]))
    return found


async def test_changes_of_every_lane_are_told_thin(stand):
    stream = await stand.live("/live")

    await stand.publish(*(published(slug=slug) for slug in STORIES))

    assert len({stand.newsroom.lanes.of(slug).tag for slug in STORIES}) > 1
    events = [await next_of(stream) for _ in STORIES]
    assert [event.data["article"] for event in events] == STORIES
    for event in events:
        whole = await stand.json(f"/articles/{event.data['article']}.json")
        head = {name: whole[name] for name in whole if name not in ("body", "updates")}
        assert event.data == {
            "article": whole["article"],
            "from": 0,
            "to": 1,
            "chain": whole["chain"],
            "head": head,
        }


async def test_a_reader_that_comes_back_goes_on_in_every_lane(stand):
    # given a reader that has heard the first of several changes, and has gone
    stream = await stand.live("/live")
    await stand.publish(*(published(slug=slug) for slug in STORIES))
    heard = [await next_of(stream) for _ in range(3)]
    stream.close()
    await stand.publish(*(posted("u1", slug=slug) for slug in STORIES))

    # when it comes back, to its address or as browsers do
    for again in (
        await stand.live("/live", last=heard[-1].id),
        await stand.live(f"/live?since={heard[-1].id}"),
    ):
        # then it is told the rest, each article's in order
        rest = await steps(again, 9)
        assert sorted(rest) == sorted(
            [(slug, 0, 1) for slug in STORIES[3:]] + [(slug, 1, 2) for slug in STORIES]
        )
        for slug in STORIES[3:]:
            assert rest.index((slug, 0, 1)) < rest.index((slug, 1, 2))

    # and what comes then
    await stand.publish(posted("u2", slug=STORIES[0]))
    assert await steps(again, 1) == [(STORIES[0], 2, 3)]


async def test_every_event_is_a_place_to_go_on_from(stand):
    stream = await stand.live("/live")
    await stand.publish(*(published(slug=slug) for slug in STORIES))
    events = [await next_of(stream) for _ in STORIES]

    for place, event in enumerate(events[:-1]):
        again = await stand.live("/live", last=event.id)

        rest = [await next_of(again) for _ in STORIES[place + 1 :]]
        assert sorted(each.data["article"] for each in rest) == sorted(STORIES[place + 1 :])
        # and each of those is one as well
        yet_again = await stand.live("/live", last=rest[0].id)
        for expected in rest[1:]:
            assert (await next_of(yet_again)).data == expected.data


async def test_a_reader_with_everything_is_told_nothing_old(stand):
    stream = await stand.live("/live")
    await stand.publish(published())
    last = await next_of(stream)

    again = await stand.live("/live", last=last.id)
    await stand.publish(posted("u1"))

    assert await steps(again, 1) == [(SLUG, 1, 2)]


async def test_a_kill_is_told_with_all_that_may_be_said(stand):
    await stand.publish(published())
    stream = await stand.live("/live")

    await stand.publish(killed("Legal advice."))

    event = await next_of(stream)
    assert event.data["head"]["status"] == "killed"
    assert event.data["head"]["note"] == "Legal advice."


@pytest.mark.parametrize("cursor", ["garbage", "3", "00000000-1.0-1.0", "é", "x" * 500])
async def test_a_foreign_cursor_is_reset_and_then_followed(stand, cursor):
    await stand.publish(published())
    stream = await stand.live("/live", last=cursor)

    reset = await next_of(stream)
    await stand.publish(posted("u1"))

    assert reset.kind == "reset"
    assert await steps(stream, 1) == [(SLUG, 1, 2)]
    again = await stand.live("/live", last=reset.id)
    assert await steps(again, 1) == [(SLUG, 1, 2)]


async def test_a_cursor_from_before_what_was_trimmed_is_reset(stand, redis):
    # given a reader of an old place, in a lane that was trimmed since
    stream = await stand.live("/live")
    await stand.publish(published())
    old = await next_of(stream)
    await stand.publish(posted("u1"), posted("u2"))
    await redis.xtrim(stand.newsroom.keys().lane.changes, maxlen=1, approximate=False)

    again = await stand.live("/live", last=old.id)

    assert (await next_of(again)).kind == "reset"


async def test_a_cursor_of_a_quiet_lane_outlives_its_entries(stand, redis):
    # given a reader that has everything, in lanes where all was trimmed away since
    stream = await stand.live("/live")
    await stand.publish(*(published(slug=slug) for slug in STORIES))
    last = [await next_of(stream) for _ in STORIES][-1]
    for lane in stand.newsroom.lanes:
        await redis.xtrim(lane.changes, maxlen=0, approximate=False)

    again = await stand.live("/live", last=last.id)
    await stand.publish(posted("u1", slug=STORIES[0]))

    assert await steps(again, 1) == [(STORIES[0], 1, 2)]
    assert await steps(stream, 1) == [(STORIES[0], 1, 2)]


async def test_a_reader_that_has_missed_too_much_is_reset(stand, redis):
    stream = await stand.live("/live")
    await stand.publish(published())
    old = await next_of(stream)
    lane = stand.newsroom.keys().lane
    [(_, fields)] = await redis.xrevrange(lane.changes, count=1)
    async with redis.pipeline(transaction=False) as many:
        for _ in range(MAX_MISSED):
            many.xadd(lane.changes, fields)
        await many.execute()

    at_the_limit = await stand.live("/live", last=old.id)
    assert len(await steps(at_the_limit, MAX_MISSED)) == MAX_MISSED
    await redis.xadd(lane.changes, fields)
    beyond = await stand.live("/live", last=old.id)

    assert (await next_of(beyond)).kind == "reset"


async def test_an_entry_that_can_not_be_read_holds_up_nothing(stand, redis):
    await stand.publish(published())
    stream, page = await stand.live("/live"), await stand.live()

    await redis.xadd(stand.newsroom.keys().lane.changes, {"strange": "entry"})
    await stand.publish(posted("u1"))

    assert (await next_of(page)).data["to"] == 2

    async def goes_on():
        return (await stand.get("/readyz")).status_code == 200

    await until(goes_on)
    await stand.publish(posted("u2"))
    seen = await steps(stream, 1)
    while seen[-1][2] < 3:
        seen += await steps(stream, 1)


async def test_who_comes_back_after_a_kill_hears_nothing_of_what_was_killed(stand):
    # given a reader whose last news was of another article
    stream = await stand.live("/live")
    await stand.publish(published(slug=STORIES[0]))
    last = await next_of(stream)
    # and headlines that were killed since
    await stand.publish(
        published("A minister resigns", summary="A minister."),
        writethru(headline="A minister denies"),
        published("The ferry sails", slug=STORIES[1]),
        killed("Legal advice."),
    )
    # when it comes back
    again = await stand.live("/live", last=last.id)
    told = [await next_of(again) for _ in range(4)]
    # then it is told of each version, and that the article is gone, and no more
    assert [e.data["to"] for e in told if e.data["article"] == SLUG] == [1, 2, 3]
    assert "inister" not in str(told)
    assert {e.data["head"]["status"] for e in told if e.data["article"] == SLUG} == {"killed"}
    assert "The ferry sails" in str(told)


@pytest.mark.parametrize("at_once", [1, 3, 500])
async def test_a_hub_that_is_behind_tells_nothing_of_what_was_killed(
    stand, redis, monkeypatch, at_once
):
    # given two headlines, and a kill
    await stand.publish(
        published("A minister resigns"), writethru(headline="A minister denies"), killed()
    )
    # when a hub reads them from the beginning, however few at a time
    monkeypatch.setattr("services.deliver.hub.ENTRIES_A_READ", at_once)
    hub = Hub(redis, Reading(redis, stand.newsroom.lanes))
    hub.places = dict.fromkeys(stand.newsroom.lanes.tags, START)
    heard = Heard()
    hub.listen(heard)
    running = asyncio.create_task(hub.run())
    await until(lambda: len(heard.entries) == 3)
    running.cancel()
    # then who listens is told that it is gone, and no more
    assert [entry.to for entry in heard.entries] == [1, 2, 3]
    assert "inister" not in str(heard.entries)


class Heard:
    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def heard(self, entry: Entry) -> None:
        self.entries.append(entry)

    def missed(self) -> None:
        raise AssertionError("nothing was missed")
