"""Taking text out of a stream: nothing else of it changes, and no byte of it is left."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from shared.runtime.keys import beside
from shared.runtime.scripts import Script

STREAM = "{wt:1}:events"
SHED = Script("services.render", "shed.lua")
SECRET = b"the witness is called Marlow"


async def shed(redis: Redis, *masks: bytes) -> int:
    return int(await SHED.run(redis, [STREAM, beside(STREAM)], masks))


async def filled(redis: Redis) -> None:
    """Fill the stream with five entries, the third with the secret, and let two groups read."""
    for number in range(1, 6):
        data = SECRET if number == 3 else b"calm"
        await redis.xadd(
            STREAM, {"article": "bridge", "seq": number, "data": data}, id=f"{number}-0"
        )
    await redis.xdel(STREAM, "5-0")
    await redis.xgroup_create(STREAM, "render", id="0")
    await redis.xgroup_create(STREAM, "partner", id="0")
    await redis.xreadgroup("render", "one", {STREAM: ">"}, count=3)
    await redis.xreadgroup("partner", "a", {STREAM: ">"}, count=1)
    await redis.xreadgroup("partner", "b", {STREAM: ">"}, count=1)
    await redis.xack(STREAM, "render", "1-0")


async def facts(redis: Redis) -> dict[str, Any]:
    """Return all that people ask a stream about, but for how long its consumers have been idle."""
    stream: Any = await redis.xinfo_stream(STREAM)
    groups: Any = await redis.xinfo_groups(STREAM)
    pending: Any = {
        group["name"]: [
            (each["message_id"], each["consumer"], each["times_delivered"])
            for each in await redis.xpending_range(STREAM, group["name"], "-", "+", 100)
        ]
        for group in groups
    }
    told = ("last-generated-id", "entries-added", "max-deleted-entry-id", "length")
    for group in groups:
        del group["consumers"]  # one without anything pending comes back when it reads
    return {"stream": {name: stream[name] for name in told}, "groups": groups, "pending": pending}


async def test_an_entry_is_masked_and_all_that_is_around_it_stays(redis):
    # given a stream that groups have read from
    await filled(redis)
    before = await facts(redis)
    # when one entry is masked
    assert await shed(redis, b"3-0", b"masked") == 1
    # then its data is another, and nothing else is
    entries: Any = await redis.xrange(STREAM)
    assert [fields[b"data"] for _, fields in entries] == [b"calm", b"calm", b"masked", b"calm"]
    assert await facts(redis) == before


async def test_no_byte_of_what_was_masked_or_deleted_is_left_in_the_stream(redis):
    # given an entry that was only deleted, which leaves its bytes where they were
    await filled(redis)
    await redis.config_set("rdbcompression", "no")  # or it would be there in other letters
    await redis.xdel(STREAM, "3-0")
    assert SECRET in await redis.dump(STREAM)
    # when the stream is made anew
    await shed(redis)
    # then they are gone
    assert SECRET not in await redis.dump(STREAM)


async def test_groups_go_on_where_they_were(redis):
    await filled(redis)

    await shed(redis, b"3-0", b"masked")

    found: Any = await redis.xreadgroup("render", "one", {STREAM: ">"})
    assert [entry for entry, _ in found[0][1]] == [b"4-0"]
    mine: Any = await redis.xreadgroup("render", "one", {STREAM: "0"})
    assert [entry for entry, _ in mine[0][1]] == [b"2-0", b"3-0", b"4-0"]


async def test_a_stream_that_lost_all_its_entries_keeps_its_place(redis):
    await filled(redis)
    await redis.xtrim(STREAM, maxlen=0)
    before = await facts(redis)

    await shed(redis)

    assert (await facts(redis))["stream"] == before["stream"]


async def test_where_there_is_no_stream_none_is_made(redis):
    assert await shed(redis) == 0
    assert not await redis.exists(STREAM)
