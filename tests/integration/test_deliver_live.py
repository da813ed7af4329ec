"""One article's changes as they happen."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.deliver.streams import Limits
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from shared.runtime.scripts import Script
from tests.builders import SLUG, corrected, killed, posted, published, revised, writethru
from tests.integration.newsroom import open_newsroom
from tests.integration.newsstand import LANES, Event, Newsstand, Stream, open_newsstand
from tests.waiting import until

LIVE = f"/articles/{SLUG}/live"


class Losing(Script):
    """Commits, and empties the outbox in the same step."""

    def __init__(self) -> None:
        super().__init__("services.render", "commit.lua")
        commit = self.text.removeprefix("#!lua")
        self.text = (
            f"local function commit()\n{commit}\nend\nlocal result = commit()\n"
            "redis.call('XTRIM', KEYS[7], 'MAXLEN', 0)\nreturn result"
        )
        self.sha = hashlib.sha1(self.text.encode()).hexdigest()


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


async def next_of(stream: Stream) -> Event:
    event = await stream.event()
    assert event is not None, "the stream has ended"
    return event


def said(event: Event) -> list[tuple[str, str]]:
    """What an event tells: each update's kind of change and id."""
    return [(each["kind"], each["update"]["update_id"]) for each in event.data["changes"]]


async def test_a_reader_is_told_of_each_change_as_it_is_committed(stand):
    # given a reader of version 2
    await stand.publish(published(), posted("u1"))
    stream = await stand.live()
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    assert stream.headers["x-accel-buffering"] == "no"

    # when the article changes
    await stand.publish(posted("u2"))

    # then it gets what `changes` says, under the version and its chain
    event = await next_of(stream)
    assert event.kind == "change"
    assert event.data == await stand.json(f"/articles/{SLUG}/changes?since=2")
    assert event.id == f"3.{event.data['chain'][:12]}"
    assert 1_000 <= (stream.retry or 0) <= 5_000


async def test_without_a_version_the_next_change_is_the_first(stand):
    await stand.publish(published(), posted("u1"))
    stream = await stand.live()

    await stand.publish(revised("u1", text="One."))

    event = await next_of(stream)
    assert (event.data["from"], event.data["to"]) == (2, 3)


async def test_a_reader_that_is_behind_is_caught_up_by_the_first_event(stand):
    await stand.publish(published(), posted("u1"), posted("u2"), posted("u3"))
    stream = await stand.live(f"{LIVE}?since=2")

    first = await next_of(stream)
    await stand.publish(posted("u4"))
    second = await next_of(stream)

    assert (first.data["from"], first.data["to"]) == (2, 4)
    assert said(first) == [("added", "u2"), ("added", "u3")]
    assert (second.data["from"], second.data["to"]) == (4, 5)


async def test_a_reader_that_is_not_behind_gets_the_next_change_first(stand):
    await stand.publish(published(), posted("u1"))
    chain12 = (await stand.json())["chain"][:12]
    streams = [await stand.live(f"{LIVE}?since={since}") for since in ("2", f"2.{chain12}")]

    await stand.publish(posted("u2"))

    for stream in streams:
        assert (await next_of(stream)).data["from"] == 2


async def test_where_a_browser_stopped_counts_more_than_its_address(stand):
    await stand.publish(published(), posted("u1"), posted("u2"))
    await stand.publish(posted("u3"))

    stream = await stand.live(f"{LIVE}?since=1", last="3")

    assert (await next_of(stream)).data["from"] == 3


async def test_a_reader_that_comes_back_goes_on_where_it_was(stand):
    await stand.publish(published())
    stream = await stand.live()
    await stand.publish(posted("u1"))
    last = await next_of(stream)
    stream.close()
    await stand.publish(posted("u2"), posted("u3"))

    again = await stand.live(last=last.id)

    event = await next_of(again)
    assert (event.data["from"], event.data["to"]) == (2, 4)


@pytest.mark.parametrize(
    "place", ["9", "9.000000000000", "2.000000000000", "garbage", "2.", "-1", "x" * 300]
)
async def test_a_place_that_is_none_of_ours_is_reset_and_then_followed(stand, place):
    await stand.publish(published(), posted("u1"))
    stream = await stand.live(last=place)

    reset = await next_of(stream)
    await stand.publish(posted("u2"))
    event = await next_of(stream)

    chain = (await stand.json())["chain"]
    assert reset.kind == "reset"
    assert set(reset.data) == {"article", "to", "chain"}
    assert (reset.data["article"], reset.data["to"]) == (SLUG, 2)
    assert reset.id == f"2.{reset.data['chain'][:12]}"
    assert (event.kind, event.data["from"], event.data["chain"]) == ("change", 2, chain)


async def test_an_open_page_is_reset_when_every_line_of_it_changes(stand):
    await stand.publish(published(), posted("u1"))
    stream = await stand.live()

    await stand.publish(writethru(update_order="newest-first"))

    assert (await next_of(stream)).kind == "reset"


async def test_a_kill_reaches_open_pages_and_ends_them(stand):
    await stand.publish(published(), posted("u1"))
    stream = await stand.live()

    await stand.publish(killed("Legal advice."))

    event = await next_of(stream)
    assert event.kind == "killed"
    assert event.data == (await stand.get(f"/articles/{SLUG}.json")).json()
    assert event.data["note"] == "Legal advice."
    assert await stream.event() is None


async def test_all_readers_at_one_version_get_the_same_bytes_in_order(stand):
    await stand.publish(published())
    streams = [await stand.live() for _ in range(20)]

    for number in range(1, 6):
        await stand.publish(posted(f"u{number}"))

    for stream in streams:
        at = 1
        while at < 6:
            event = await next_of(stream)
            assert event.data["from"] == at
            at = event.data["to"]
        assert at == 6


async def test_readers_of_other_articles_hear_nothing(stand):
    await stand.publish(published(), published(slug="ferry-strike"))
    bridge, ferry = await stand.live(), await stand.live("/articles/ferry-strike/live")

    await stand.publish(posted("f1", slug="ferry-strike"), posted("b1"))

    assert (await next_of(bridge)).data["article"] == SLUG
    assert (await next_of(ferry)).data["article"] == "ferry-strike"


async def test_a_change_between_watching_and_reading_is_told_once(stand):
    # given changes that are committed all the time
    await stand.publish(published())
    done = asyncio.Event()

    async def keep_posting() -> None:
        number = 0
        while not done.is_set():
            number += 1
            await stand.publish(posted(f"u{number}"))

    posting = asyncio.create_task(keep_posting())
    # when readers connect meanwhile
    for _ in range(8):
        version = (await stand.json())["version"]
        stream = await stand.live(f"{LIVE}?since={version}")
        at = version
        # then each is told from where it was, with no gap and nothing twice
        for _ in range(4):
            event = await next_of(stream)
            assert event.data["from"] == at
            at = event.data["to"]
        stream.close()
    done.set()
    await posting


async def test_a_reader_that_takes_nothing_is_told_in_one_and_holds_up_nobody(stand):
    # given a reader that does not read, over a line that holds little, and one that does
    await stand.publish(published(), posted("big", "x"))
    slow, quick = await stand.live(narrow=True), await stand.live()

    # when much more is told than line and queue can hold
    at, changes = 2, 24
    for number in range(changes):
        await stand.publish(revised("big", text=f"{number} " + "word" * 40_000))
        event = await next_of(quick)
        assert event.data["from"] == at
        at = event.data["to"]

    # then the slow one has the last state all the same, in fewer steps, without a gap
    told, steps = 2, 0
    while told < 2 + changes:
        event = await next_of(slow)
        assert event.data["from"] == told
        told, steps = event.data["to"], steps + 1
    assert steps < changes


async def test_a_quiet_stream_is_kept_awake_and_ended_after_its_time(redis, engine):
    limits = Limits(heartbeat=0.05, life=0.5)
    async with open_newsstand(redis, engine.url, limits) as stand:
        await stand.publish(published())
        stream = await stand.live()

        assert await stream.event() is None
        assert stream.comments >= 2


async def test_beyond_the_limit_of_readers_more_are_asked_to_come_back(redis, engine):
    async with open_newsstand(redis, engine.url, Limits(readers=2)) as stand:
        await stand.publish(published())
        first, _ = await stand.live(), await stand.live("/live")

        refused = [await stand.live(path) for path in (LIVE, "/live")]
        assert [stream.status for stream in refused] == [503, 503]
        assert all(int(stream.headers["retry-after"]) > 0 for stream in refused)
        assert (await refused[0].body())["status"] == 503

        first.close()

        async def has_room() -> bool:
            return (await stand.live()).status == 200

        await until(has_room)


async def test_readers_that_have_gone_take_no_room_and_leave_nothing_behind(redis, engine):
    async with open_newsstand(redis, engine.url, Limits(readers=1)) as stand:
        await stand.publish(published())
        for _ in range(10):
            stream = await stand.live()
            while stream.status == 503:
                stream = await stand.live()
            stream.close()


async def test_streams_outlive_the_engine_and_catch_up(tmp_path: Path):
    # given an open page, and one on all articles
    with Engine(tmp_path) as engine:
        async with connect(engine.url) as redis, open_newsstand(redis, engine.url) as stand:
            await stand.publish(published(), posted("u1"))
            stream, everything = await stand.live(), await stand.live("/live")

            # when the engine dies
            engine.kill()
            gone = await stand.get(f"/articles/{SLUG}.json")
            as_page = await stand.get(f"/articles/{SLUG}", accept="text/html")
            waiting = await stand.get(LIVE)

            # then pages say so, in words, and for how long
            assert [each.status_code for each in (gone, as_page, waiting)] == [503] * 3
            assert all(int(each.headers["retry-after"]) for each in (gone, as_page, waiting))
            assert gone.headers["content-type"] == "application/problem+json"
            assert as_page.headers["content-type"].startswith("text/html")
            ready = await stand.get("/readyz")
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            assert (await stand.get("/healthz")).status_code == 200

            # and when it is back and the article changes, streams go on where they were
            engine.start()
            await stand.publish(posted("u2"))
            event = await next_of(stream)
            assert (event.data["from"], event.data["to"]) == (2, 3)
            assert (await next_of(everything)).data["to"] == 3

            async def is_ready() -> bool:
                return (await stand.get("/readyz")).status_code == 200

            await until(is_ready)


async def test_a_silent_engine_is_an_answer_soon_and_leaves_no_confusion(tmp_path: Path):
    # given an engine that neither answers nor ends
    with Engine(tmp_path) as engine:
        async with connect(engine.url) as redis, open_newsstand(redis, engine.url) as stand:
            slugs = [f"story-{number}" for number in range(20)]
            await stand.publish(*(published(slug=slug) for slug in slugs))
            paths = ["/", *(f"/articles/{slug}.json" for slug in slugs)]
            os.kill(engine.pid, signal.SIGSTOP)
            try:
                answers = await asyncio.gather(*(stand.get(path) for path in paths))
            finally:
                os.kill(engine.pid, signal.SIGCONT)

            # then everybody is told to come back, at the same time
            assert {answer.status_code for answer in answers} == {503}

            # and who does gets what it asked for, not what another did
            async def is_back() -> bool:
                return (await stand.get("/readyz")).status_code == 200

            await until(is_back)
            answers = await asyncio.gather(*(stand.get(path) for path in paths[1:]))
            assert [answer.json()["article"] for answer in answers] == slugs


async def test_a_change_whose_entry_was_lost_is_told_all_the_same(stand, redis):
    # given an open page, and one on all articles
    await stand.publish(published(), posted("u1"))
    stream, everything = await stand.live(), await stand.live("/live")

    # when a change is committed, and the outbox is empty before anybody could read it
    stand.store._commit = Losing()
    await stand.publish(corrected("u1"))

    # then the page is told of it, the other that it may have missed something
    assert said(await next_of(stream)) == [("changed", "u1")]
    assert (await next_of(everything)).kind == "reset"

    # and what comes later is told as ever
    stand.store._commit = Script("services.render", "commit.lua")
    await stand.publish(posted("u2"))
    assert said(await next_of(stream)) == [("added", "u2")]
    assert (await next_of(everything)).data["to"] == 4


async def test_lost_connections_lose_no_change(stand, redis):
    await stand.publish(published())
    stream = await stand.live()

    for number in range(5):
        await redis.execute_command("CLIENT KILL TYPE normal SKIPME yes")
        await stand.publish(posted(f"u{number}"))

    at = 1
    while at < 6:
        event = await next_of(stream)
        assert event.data["from"] == at
        at = event.data["to"]


async def test_after_a_loss_of_history_open_pages_start_over(stand, redis):
    # given an open page at a version that the engine then loses
    await stand.publish(published(), posted("u1"), posted("lost"))
    stream, everything = await stand.live(), await stand.live("/live")
    await redis.flushall()

    # when another history of the same article is written
    newsroom = await open_newsroom(redis, LANES)
    await newsroom.file(published("Another"), posted("u1"))
    await Store(redis, newsroom.lanes).render(SLUG)

    # then the page is told that its history is not ours, or that its article is gone
    event = await stream.event()
    assert event is None or event.kind == "reset"
    assert (await next_of(everything)).kind in ("reset", "change")
