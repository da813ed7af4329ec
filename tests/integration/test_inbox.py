"""The inbox against a real engine: every entry once, in order, whoever dies; nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest import inbox as module
from services.ingest.append import Appender, Checked
from services.ingest.checking import Checker
from services.ingest.inbox import CONSUMER, ENTRIES_A_BATCH, Inbox
from shared.contract.events import MAX_EVENT_BYTES, Event
from shared.contract.receipts import Receipt
from shared.runtime.durability import Wait
from shared.runtime.engine import Engine
from shared.runtime.installation import Installation, open_installation
from shared.runtime.keys import INBOX, INBOX_GROUP, INBOX_READER, REFUSED
from shared.runtime.lease import Lease
from shared.runtime.redis import connect
from tests.builders import SLUG, Envelope, corrected, killed, posted, published, redacted
from tests.integration.frontdesk import frontdesk
from tests.waiting import until

LANES = 2
LEASE_SECONDS = 0.4


@pytest.fixture
async def installation(redis: Redis) -> Installation:
    return await open_installation(redis, LANES)


def an_inbox(redis: Redis, installation: Installation, name: str = "one") -> Inbox:
    checker = Checker(redis, installation.lanes, Appender(redis, installation, "fsync"), {})
    return Inbox(redis, checker, Lease(redis, INBOX_READER, name, LEASE_SECONDS))


@asynccontextmanager
async def reading(inbox: Inbox) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(inbox.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def put(redis: Redis, *envelopes: Envelope) -> list[Any]:
    return [await redis.xadd(INBOX, {"data": orjson.dumps(each)}) for each in envelopes]


async def empty(redis: Redis) -> bool:
    return not await redis.xlen(INBOX)


async def has_left(redis: Redis, entries: Sequence[bytes]) -> bool:
    """Whether *entries* are all that is in the inbox."""
    found: Any = await redis.xrange(INBOX)
    return [entry_id for entry_id, _ in found] == list(entries)


async def ledger(redis: Redis, installation: Installation, slug: str = SLUG) -> list[Any]:
    found: Any = await redis.lrange(installation.lanes.of(slug).article(slug).ledger, 0, -1)
    return [orjson.loads(record)["event"]["id"] for record in found]


async def refusals(redis: Redis) -> list[dict[str, Any]]:
    """Return what was refused, with the problem read."""
    found: Any = await redis.xrange(REFUSED)
    return [
        {name.decode(): value for name, value in fields.items()}
        | {"problem": orjson.loads(fields[b"problem"])}
        for _, fields in found
    ]


async def test_what_was_there_before_the_first_reader_and_what_comes_is_filed_in_order(
    redis: Redis, installation: Installation
) -> None:
    await put(redis, published(id="first"), *(posted(f"u{n}", id=f"e{n}") for n in range(250)))

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))
        await put(redis, posted("late", id="late"))
        await until(lambda: empty(redis))

    assert await ledger(redis, installation) == ["first", *(f"e{n}" for n in range(250)), "late"]
    assert await refusals(redis) == []
    (group,) = await redis.xinfo_groups(INBOX)
    assert (group["name"], group["pending"]) == (INBOX_GROUP.encode(), 0)


async def test_any_client_may_append_and_a_repeated_event_counts_once(
    redis: Redis, installation: Installation
) -> None:
    await redis.execute_command(
        "XADD", INBOX, "*", "desk", "night", "data", orjson.dumps(published(id="first")).decode()
    )
    await put(redis, *[posted("u1", id="same")] * 3)

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))

    assert await ledger(redis, installation) == ["first", "same"]
    assert await refusals(redis) == []


async def test_what_is_refused_is_kept_with_its_problem_and_its_entry(
    redis: Redis, installation: Installation
) -> None:
    wrong: list[tuple[dict[Any, Any], str]] = [
        ({"data": b"{"}, "malformed"),
        ({"data": b"\xff\x00"}, "malformed"),
        ({"__data__": orjson.dumps(published())}, "malformed"),
        ({"data": b"a" * (MAX_EVENT_BYTES + 1)}, "too-large"),
        ({"data": orjson.dumps(published() | {"id": "no id"})}, "invalid"),
        ({"data": orjson.dumps(killed())}, "forbidden"),
        ({"data": orjson.dumps(redacted("u1"))}, "forbidden"),
        ({"data": orjson.dumps(posted("u1"))}, "unknown-article"),
    ]
    entries = [await redis.xadd(INBOX, fields) for fields, _ in wrong]
    await put(redis, published(), posted("u1"), corrected("u1"))

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))

    found = await refusals(redis)
    assert [each["problem"]["code"] for each in found] == [code for _, code in wrong]
    assert [each["entry"] for each in found] == entries
    assert [each["data"] for each in found] == [
        fields.get("data", b"")[:MAX_EVENT_BYTES] for fields, _ in wrong
    ]
    assert len(await ledger(redis, installation)) == 3


async def test_refused_entries_do_not_pile_up_without_end(
    redis: Redis, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFUSED_KEPT", 10)
    for _ in range(400):
        await redis.xadd(INBOX, {"data": b"{"})

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))

    assert 10 <= await redis.xlen(REFUSED) < 400


async def test_entries_that_a_dead_reader_took_are_filed_by_the_next_before_newer_ones(
    redis: Redis, installation: Installation
) -> None:
    await put(redis, published(id="first"), posted("u1", id="e1"))
    await redis.xgroup_create(INBOX, INBOX_GROUP, id="0")
    taken: Any = await redis.xreadgroup(INBOX_GROUP, CONSUMER, {INBOX: ">"})
    assert len(taken[0][1]) == 2
    await put(redis, posted("u2", id="e2"))

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))

    assert await ledger(redis, installation) == ["first", "e1", "e2"]


async def test_what_is_held_is_settled_and_not_refused(
    redis: Redis, installation: Installation
) -> None:
    await put(redis, published(id="first"), posted("u1", embargo_until="2099-01-01T00:00:00Z"))

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))

    assert await ledger(redis, installation) == ["first"]
    assert await redis.hlen(installation.lanes.of(SLUG).article(SLUG).holds) == 1
    assert await refusals(redis) == []


class Dying(Appender):
    """Dies after what it appended is stored, before anybody hears of it."""

    async def append(
        self,
        events: Sequence[Event],
        checked: Sequence[Checked] = (),
        wait: Wait | None = None,
    ) -> list[Receipt]:
        await super().append(events, checked, wait)
        raise asyncio.CancelledError


async def test_a_death_between_filing_and_settling_doubles_nothing(
    redis: Redis, installation: Installation
) -> None:
    await put(redis, published(id="first"), posted("u1", id="e1"))
    lease = Lease(redis, INBOX_READER, "one", LEASE_SECONDS)
    dying = Checker(redis, installation.lanes, Dying(redis, installation, "fsync"), None)
    async with reading(Inbox(redis, dying, lease)) as task:
        await asyncio.wait({task})
    assert await ledger(redis, installation) == ["first", "e1"]
    assert await redis.xlen(INBOX) == 2

    async with reading(an_inbox(redis, installation, "two")):
        await until(lambda: empty(redis))

    assert await ledger(redis, installation) == ["first", "e1"]
    assert await refusals(redis) == []


async def test_of_two_readers_one_works_and_the_other_takes_over(
    redis: Redis, engine: Engine, installation: Installation
) -> None:
    async with connect(engine.url) as other, reading(an_inbox(other, installation, "two")):
        async with reading(an_inbox(redis, installation, "one")):
            await put(redis, published(id="first"), *(posted(f"a{n}") for n in range(300)))
            await until(lambda: empty(redis))
            assert await redis.get(INBOX_READER) in (b"one", b"two")
        await put(redis, *(posted(f"b{n}") for n in range(5)))
        await until(lambda: empty(redis))
        assert await redis.get(INBOX_READER) == b"two"

    assert len(await ledger(redis, installation)) == 306
    assert await refusals(redis) == []
    assert await redis.get(INBOX_READER) is None


async def test_an_article_that_cannot_be_filed_holds_up_its_own_events_only(
    redis: Redis, installation: Installation
) -> None:
    # Given an article whose records are damaged, so that its events have to be tried again
    keys = installation.lanes.of(SLUG).article(SLUG)
    await redis.rpush(keys.ledger, "a stray")
    stuck = [published(id="first"), *(posted(f"u{n}", id=f"e{n}") for n in range(150))]
    other = published(slug="ferry-strike", id="other")

    # When events of another come after more of them than are read at once
    assert len(stuck) > ENTRIES_A_BATCH
    entries = await put(redis, *stuck, other, killed())
    async with reading(an_inbox(redis, installation)):
        # Then the others are filed and refused, and these wait
        await until(lambda: has_left(redis, entries[: len(stuck)]))
        assert await ledger(redis, installation, "ferry-strike") == ["other"]
        assert await redis.xlen(REFUSED) == 1

        # Until the damage is mended: all of them, in order
        await redis.delete(keys.ledger)
        await until(lambda: empty(redis), 30)
    assert await ledger(redis, installation) == [each["id"] for each in stuck]


async def test_a_full_engine_is_waited_for(redis: Redis, installation: Installation) -> None:
    await put(redis, published(id="first"), posted("u1", id="e1"))
    await redis.config_set("maxmemory", "1")
    try:
        async with reading(an_inbox(redis, installation)):
            assert await redis.xlen(INBOX) == 2
            await redis.config_set("maxmemory", "0")
            await until(lambda: empty(redis), 30)
    finally:
        await redis.config_set("maxmemory", "0")

    assert await ledger(redis, installation) == ["first", "e1"]
    assert await refusals(redis) == []


async def test_a_group_or_stream_that_is_deleted_is_made_again(
    redis: Redis, installation: Installation
) -> None:
    async with reading(an_inbox(redis, installation)):
        await put(redis, published(id="first"))
        await until(lambda: empty(redis))
        await redis.delete(INBOX)
        await put(redis, posted("u1", id="e1"))
        await until(lambda: empty(redis), 30)
        await redis.xgroup_destroy(INBOX, INBOX_GROUP)
        await put(redis, posted("u2", id="e2"))
        await until(lambda: empty(redis), 30)

    assert await ledger(redis, installation) == ["first", "e1", "e2"]


async def test_an_inbox_that_cannot_be_read_is_named_by_readiness(
    redis: Redis, engine: Engine
) -> None:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        await until(lambda: redis.exists(INBOX))
        assert (await desk.http.get("/readyz")).json()["checks"]["inbox"]["ok"]
        await redis.delete(INBOX)
        await redis.set(INBOX, "another type")

        async def unready() -> bool:
            checks = (await desk.http.get("/readyz")).json()["checks"]
            return "WRONGTYPE" in checks["inbox"]["detail"]

        await until(unready)
        assert (await desk.http.get("/readyz")).status_code == 503
        assert (await desk.file(published())).status_code == 202
        await redis.delete(INBOX)
        await until(lambda: desk.app.state.probed.inbox.check().ok, 30)


async def test_an_entry_that_somebody_deleted_meanwhile_is_no_trouble(
    redis: Redis, installation: Installation
) -> None:
    first, _ = await put(redis, published(id="first"), posted("u1", id="e1"))
    await redis.xgroup_create(INBOX, INBOX_GROUP, id="0")
    await redis.xreadgroup(INBOX_GROUP, CONSUMER, {INBOX: ">"})
    await redis.xdel(INBOX, first)

    async with reading(an_inbox(redis, installation)):
        await until(lambda: empty(redis))
        await put(redis, published(id="first"))
        await until(lambda: empty(redis))

    assert await ledger(redis, installation) == ["first"]
