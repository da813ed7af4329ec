"""Trimming a stream: never what a group still needs, never what is young."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from shared.runtime.scripts import Script

STREAM = "{wt:1}:events"
HOUR = 3_600_000
TRIM = Script("services.render", "trim.lua")

OLD = ["1-0", "2-0", "3-0", "3-1", "4-0"]
"""Ids from the first seconds of 1970."""


@pytest.fixture
async def young(redis: Redis) -> str:
    """Fill the stream with old entries and one of now; return the young one's id."""
    for entry in OLD:
        await redis.xadd(STREAM, {"n": entry}, id=entry)
    added: Any = await redis.xadd(STREAM, {"n": "young"})
    return str(added.decode())


async def trim(redis: Redis, kept_ms: int = HOUR, required: str = "") -> int:
    return int(await TRIM.run(redis, [STREAM], [kept_ms, required]))


async def ids(redis: Redis) -> list[str]:
    found: Any = await redis.xrange(STREAM)
    return [entry.decode() for entry, _ in found]


async def read(redis: Redis, group: str, count: int, acked: int) -> None:
    """Let *group* read *count* entries and ack the first *acked* of them."""
    await redis.xgroup_create(STREAM, group, id="0")
    found: Any = await redis.xreadgroup(group, "one", {STREAM: ">"}, count=count)
    for entry, _ in found[0][1][:acked]:
        await redis.xack(STREAM, group, entry)


async def test_what_every_group_has_acked_and_is_old_goes(redis, young):
    # given a group that has read and acked everything
    await read(redis, "render", count=6, acked=6)
    # when the stream is trimmed
    gone = await trim(redis, required="render")
    # then the old entries are gone, and the young one stays
    assert gone == 5
    assert await ids(redis) == [young]


async def test_what_is_young_stays_though_every_group_has_acked_it(redis, young):
    # given a group that is done with everything
    await read(redis, "render", count=6, acked=6)
    # when entries are kept longer than there has been time
    gone = await trim(redis, kept_ms=10**15, required="render")
    # then nothing goes
    assert gone == 0


async def test_the_lowest_pending_entry_and_all_after_it_stay(redis, young):
    # given a group that has acked two of what it has read
    await read(redis, "render", count=6, acked=2)
    # when the stream is trimmed
    await trim(redis, required="render")
    # then the third is the first that is left
    assert await ids(redis) == [*OLD[2:], young]


async def test_what_a_group_has_not_read_yet_stays(redis, young):
    # given a group that has read and acked three
    await read(redis, "render", count=3, acked=3)
    # when the stream is trimmed
    await trim(redis, required="render")
    # then nothing after its place is gone
    assert await ids(redis) == [*OLD[2:], young]


async def test_the_slowest_group_counts_whoever_it_belongs_to(redis, young):
    # given our group, which is done, and somebody's, which has read one
    await read(redis, "render", count=6, acked=6)
    await read(redis, "archive", count=1, acked=1)
    # when the stream is trimmed
    await trim(redis, required="render")
    # then somebody's place is respected
    assert await ids(redis) == [*OLD, young]


@pytest.mark.parametrize(("archive", "render"), [(2, 3), (3, 2)])
async def test_ids_of_one_millisecond_are_told_apart_by_their_counter(
    redis, young, archive, render
):
    # given two groups whose lowest pending entries are of the same millisecond
    await read(redis, "archive", count=6, acked=archive)
    await read(redis, "render", count=6, acked=render)
    # when the stream is trimmed
    await trim(redis, required="render")
    # then the lower one is the first that is left
    assert await ids(redis) == ["3-0", "3-1", "4-0", young]


async def test_a_group_that_must_exist_and_does_not_keeps_everything(redis, young):
    # given a stream whose own group was deleted, beside another that is done
    await read(redis, "archive", count=6, acked=6)
    # when it is trimmed
    gone = await trim(redis, required="render")
    # then what the group would need is still there
    assert gone == 0


async def test_without_groups_age_alone_counts_where_none_is_required(redis, young):
    # given an outbox that nobody follows by a group
    # when it is trimmed
    await trim(redis)
    # then the young are left
    assert await ids(redis) == [young]


async def test_a_stream_that_is_not_there_is_no_trouble(redis):
    # given no stream
    # when it is trimmed
    # then that was it
    assert await trim(redis, required="render") == 0
    assert not await redis.exists(STREAM)
