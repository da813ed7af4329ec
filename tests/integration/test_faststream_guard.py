"""Each trap of FastStream's stream subscriber, and that ours does not step into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Refused
from structlog.testing import capture_logs

from services.render.consume import ENTRIES_A_BATCH, Consumer, make_groups
from services.render.core.wakeups import Entry
from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper, Timing
from shared.runtime.engine import Engine
from shared.runtime.keys import RENDER_GROUP, Lane
from shared.runtime.redis import connect
from tests.builders import SLUG, numbered, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom, pending
from tests.waiting import until


class Listening(Rendering):
    """Notes what it is given before, or instead of, rendering it."""

    def __init__(self, newsroom: Newsroom, instead: Callable[[], object] | None = None) -> None:
        redis, lanes = newsroom.redis, newsroom.lanes
        super().__init__(redis, lanes, Store(redis, lanes))
        self.batches: list[list[Entry]] = []
        self._instead = instead

    async def take(
        self, lane: Lane, entries: Sequence[Entry], taken: Literal["read", "stranded"] = "read"
    ) -> None:
        self.batches.append(list(entries))
        if self._instead:
            self._instead()
        else:
            await super().take(lane, self.batches[-1], taken)

    @property
    def seqs(self) -> list[int]:
        return [int(fields[b"seq"]) for batch in self.batches for _, fields in batch]


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    return await open_newsroom(redis)


@asynccontextmanager
async def reading(
    engine: Engine, newsroom: Newsroom, rendering: Rendering, name: str = "one"
) -> AsyncIterator[Consumer]:
    await make_groups(newsroom.redis, newsroom.lanes)
    consumer = Consumer(engine.url, newsroom.lanes, name, rendering)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def is_at(newsroom: Newsroom, version: int) -> bool:
    return await newsroom.version() == version


# A group is made at the stream's end


async def test_what_was_filed_before_the_first_start_is_read(engine, newsroom):
    # given events in the stream of a group that does not exist yet
    await newsroom.file(published(), posted("a"))
    # when the first consumer starts
    async with reading(engine, newsroom, Listening(newsroom)):
        # then they are rendered
        await until(lambda: is_at(newsroom, 2))


async def test_a_group_lost_while_a_consumer_starts_is_not_made_at_the_end(engine, newsroom):
    # given a group that goes after it was looked for, and before FastStream does, and an event
    await make_groups(newsroom.redis, newsroom.lanes)
    await newsroom.file(published())
    rendering = Listening(newsroom)
    consumer = Consumer(engine.url, newsroom.lanes, "one", rendering)
    await newsroom.redis.xgroup_destroy(newsroom.keys().lane.events, RENDER_GROUP)
    # when the consumer starts
    await consumer.start()
    try:
        # then its wake-up is read, and does not count as acked
        await until(lambda: is_at(newsroom, 1))
        assert rendering.seqs == [1]
    finally:
        await consumer.stop()


# last_id makes later starts deaf


async def test_a_second_start_reads_what_is_new(engine, newsroom):
    # given a consumer that has been here before
    async with reading(engine, newsroom, Listening(newsroom)):
        await newsroom.file(published())
        await until(lambda: is_at(newsroom, 1))
    # when it starts again, and an event comes
    again = Listening(newsroom)
    async with reading(engine, newsroom, again):
        await newsroom.file(posted("a"))
        await until(lambda: is_at(newsroom, 2))
    # then that one it has read, and nothing twice
    assert again.seqs == [2]


# Without max_records the whole backlog is one reply


async def test_a_backlog_is_read_in_batches(engine, newsroom):
    # given more wake-ups than a batch should hold
    await newsroom.file(published(), *numbered(2 * ENTRIES_A_BATCH))
    rendering = Listening(newsroom)
    # when they are read
    async with reading(engine, newsroom, rendering):
        await until(lambda: len(rendering.seqs) == 2 * ENTRIES_A_BATCH + 1)
    # then in portions
    assert [len(batch) for batch in rendering.batches] == [ENTRIES_A_BATCH, ENTRIES_A_BATCH, 1]


# One bad entry fails a typed batch


async def test_entries_that_are_no_text_do_not_fail_the_batch_that_holds_them(engine, newsroom):
    # given a batch in which two entries are anything but wake-ups
    events = newsroom.keys().lane.events
    await newsroom.file(published())
    await newsroom.redis.xadd(events, {"__data__": b"\xff\xfe"})
    await newsroom.redis.xadd(events, {b"\xff": b"\x00", "article": "No Slug"})
    await newsroom.file(posted("a"))
    # when it is read
    async with reading(engine, newsroom, Listening(newsroom)):
        await until(lambda: is_at(newsroom, 2))
        # then the others are rendered, and nothing stays pending
        await until(lambda: nothing_pending(newsroom))


async def nothing_pending(newsroom: Newsroom) -> bool:
    return not await pending(newsroom.redis, newsroom.keys().lane)


# FastStream acks after the handler, whatever became of the work


async def test_a_handler_that_returns_does_not_ack(engine, newsroom):
    # given a handler that does nothing
    rendering = Listening(newsroom, instead=lambda: None)
    await newsroom.file(published())
    # when it has been given a wake-up
    async with reading(engine, newsroom, rendering):
        await until(lambda: rendering.batches)
    # then the wake-up is still pending
    assert len(await pending(newsroom.redis, newsroom.keys().lane)) == 1


async def test_a_batch_whose_handler_raised_is_taken_up_by_the_sweeper(engine, newsroom):
    # given a handler that raises
    def fail() -> None:
        raise RuntimeError("canary")

    rendering = Listening(newsroom, instead=fail)
    await newsroom.file(published())
    async with reading(engine, newsroom, rendering):
        await until(lambda: rendering.batches)
        # when the next event comes
        await newsroom.file(posted("a"))
        # then the reading goes on, and what was missed is swept up
        await until(lambda: len(rendering.batches) == 2)
        await sweep(newsroom)
    assert await newsroom.version() == 2
    assert await nothing_pending(newsroom)


async def sweep(newsroom: Newsroom) -> None:
    redis, lanes = newsroom.redis, newsroom.lanes
    rendering = Rendering(redis, lanes, Store(redis, lanes))
    await Sweeper(redis, lanes, rendering, Timing(dirty_ms=0, stranded_ms=0)).sweep()


async def test_an_error_that_nobody_thought_of_stops_nothing_and_says_no_copy(
    newsroom, monkeypatch
):
    # given a store that fails with an error that quotes what it was given
    async def fail(*_: Any) -> None:
        raise KeyError("canary")

    monkeypatch.setattr(Store, "render", fail)
    await newsroom.file(published())
    # when the sweeper comes along
    with capture_logs() as logs:
        await sweep(newsroom)
    # then it goes on, and the log names the article and the kind of error
    [line] = [line for line in logs if line["event"] == "article.failed"]
    assert (line["article"], line["error"]) == (SLUG, "KeyError")
    assert "canary" not in str(logs)


# Own pending entries are never read again


async def test_what_a_consumer_left_pending_before_a_restart_is_acked_all_the_same(
    engine, newsroom
):
    # given a consumer that was stopped with a wake-up in hand
    await newsroom.file(published())
    stopped = Listening(newsroom, instead=lambda: None)
    async with reading(engine, newsroom, stopped):
        await until(lambda: stopped.batches)
    # when it starts again under the same name
    again = Listening(newsroom)
    async with reading(engine, newsroom, again):
        await newsroom.file(posted("a"))
        await until(lambda: is_at(newsroom, 2))
        assert again.seqs == [2]
        # then the first wake-up is the sweeper's
        await sweep(newsroom)
    assert await nothing_pending(newsroom)


async def test_a_living_consumers_wakeups_are_not_taken_from_it(engine, newsroom):
    # given a consumer that holds a wake-up
    await newsroom.file(published())
    holding = Listening(newsroom, instead=lambda: None)
    async with reading(engine, newsroom, holding):
        await until(lambda: holding.batches)
        # when another one starts
        other = Listening(newsroom)
        async with reading(engine, newsroom, other, name="two"):
            await newsroom.file(posted("a"))
            await until(lambda: len(holding.seqs) + len(other.seqs) == 2)
    # then it has not been given the first
    assert holding.seqs[0] == 1
    assert 1 not in other.seqs


# Without retry, an engine's restart costs five seconds and a traceback


async def test_an_engine_that_restarts_is_not_even_noticed(tmp_path: Path):
    # given a consumer at work
    with Engine(tmp_path / "engine") as engine:
        client = connect(engine.url)
        newsroom = await open_newsroom(client)
        with capture_logs() as logs:
            async with reading(engine, newsroom, Listening(newsroom)) as consumer:
                await newsroom.file(published())
                await until(lambda: is_at(newsroom, 1))
                # when the engine is killed and started again, its script cache lost
                engine.kill()
                await until(refused_five_times(engine))
                engine.start()
                await newsroom.file(posted("a"))
                # then what comes next is rendered by the same read loop
                await until(lambda: is_at(newsroom, 2))
                assert consumer.fault() is None
        await client.aclose()
    assert [line for line in logs if line["log_level"] in ("error", "critical")] == []


def refused_five_times(engine: Engine) -> Callable[[], Any]:
    refusals = []

    async def refused() -> bool:
        with pytest.raises(Refused):
            await connect(engine.url, retries=0).ping()
        refusals.append(1)
        return len(refusals) == 5

    return refused


# A subscriber stops, or spins, while ping stays true


@pytest.mark.parametrize("lose", ["group", "stream"])
async def test_a_subscriber_that_stopped_for_good_is_a_fault(engine, newsroom, lose):
    # given a consumer at work
    events = newsroom.keys().lane.events
    async with reading(engine, newsroom, Listening(newsroom)) as consumer:
        assert consumer.fault() is None
        # when its group or its stream is deleted
        if lose == "group":
            await newsroom.redis.xgroup_destroy(events, "render")
        else:
            await newsroom.redis.delete(events)
        # then that is a fault, though the engine answers
        await until(lambda: "stopped" in (consumer.fault() or ""))
        assert await newsroom.redis.ping()


async def test_a_subscriber_that_fails_again_and_again_is_a_fault(engine, newsroom):
    # given a consumer at work
    events = newsroom.keys().lane.events
    async with reading(engine, newsroom, Listening(newsroom)) as consumer:
        # when its stream becomes something else
        await newsroom.redis.set(events, "spoilt")
        # then that is a fault, before it has spun for long
        await until(lambda: "again and again" in (consumer.fault() or ""))


async def test_a_read_loop_that_has_ended_is_a_fault(engine, newsroom):
    # given a consumer at work
    before = asyncio.all_tasks()
    async with reading(engine, newsroom, Listening(newsroom)) as consumer:
        # when one of its read loops ends, and nobody says so
        loops = [task for task in asyncio.all_tasks() - before if "_consume" in str(task)]
        await until(lambda: loops[0].cancel() is False)
        # then that is a fault
        assert consumer.fault() == "a subscriber's task has ended"


# A cancellation may be forgotten, and its reader reads on


async def test_a_consumer_that_has_stopped_leaves_no_connection_open(engine, newsroom):
    # given who is connected
    before = await connected(newsroom)
    # when consumers are stopped, whatever they are in the middle of
    for moment in range(30):
        async with reading(engine, newsroom, Listening(newsroom, instead=lambda: None)):
            await newsroom.file(posted(f"u{moment}") if moment else published())
            for _ in range(moment):
                await asyncio.sleep(0)
        # then nobody else is
        await until(lambda: nobody_but(newsroom, before), 5)


async def connected(newsroom: Newsroom) -> set[str]:
    return {client["id"] for client in await newsroom.redis.client_list()}


async def nobody_but(newsroom: Newsroom, clients: set[str]) -> bool:
    return await connected(newsroom) <= clients


# The rest


async def test_more_lanes_than_a_pool_has_connections_by_default_are_all_read(engine, redis):
    # given an installation of 120 lanes
    newsroom = await open_newsroom(redis, lanes=120)
    slugs = [f"story-{number}" for number in range(40)]
    # when events come in many of them
    async with reading(engine, newsroom, Listening(newsroom)) as consumer:
        for slug in slugs:
            await newsroom.file(published(slug=slug))
        # then all of them are rendered
        await until(lambda: all_rendered(newsroom, slugs))
        assert consumer.fault() is None


async def all_rendered(newsroom: Newsroom, slugs: list[str]) -> bool:
    return all([await newsroom.version(slug) == 1 for slug in slugs])


async def test_what_faststream_says_of_every_message_is_for_debugging(engine, newsroom):
    # given a consumer at work
    with capture_logs() as logs:
        async with reading(engine, newsroom, Listening(newsroom)):
            await newsroom.file(published(headline="canary", body="canary"))
            await until(lambda: is_at(newsroom, 1))
    # then what is logged is debug, and not a word of it copy
    assert "Received" in [line["event"] for line in logs]
    assert {line["log_level"] for line in logs} == {"debug"}
    assert "canary" not in str(logs)
