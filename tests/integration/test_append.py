"""Appending against a real engine: once, in order, all of an event or nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.ingest.append import STEP_EVENTS, Appender
from services.ingest.core.filing import Filing
from services.ingest.core.legality import explain
from shared.article.stored import load_entry
from shared.contract.canonical import fingerprint, link
from shared.contract.events import parse_event
from shared.contract.receipts import Receipt
from shared.runtime.engine import Engine
from shared.runtime.installation import Installation, open_installation
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.redis import connect
from tests import builders
from tests.builders import SLUG, Envelope, corrected, killed, posted, published, retracted
from tests.integration.contents import contents

LANES = 3
#: Which of the keys that an event is filed with, by their places; and what they are called.
FILING = {n: key.partition("}:")[2] for n, key in enumerate(Lane("any").article(SLUG).filing)}

#: Those of them that an event which is accepted at once has no need of.
NOT_FOR_ALL = ("held", "redactions", "ticks")


@pytest.fixture
async def installation(redis: Redis) -> Installation:
    return await open_installation(redis, LANES)


@pytest.fixture
def appender(redis: Redis, installation: Installation) -> Appender:
    return Appender(redis, installation, "fsync")


async def file(appender: Appender, *envelopes: Envelope) -> list[Receipt]:
    return await appender.append([parse_event(envelope) for envelope in envelopes])


async def statuses(appender: Appender, *envelopes: Envelope) -> list[str]:
    return [receipt.status for receipt in await file(appender, *envelopes)]


async def codes(appender: Appender, *envelopes: Envelope) -> list[str | None]:
    receipts = await file(appender, *envelopes)
    return [receipt.problem["code"] if receipt.problem else None for receipt in receipts]


def keys_of(installation: Installation, slug: str = SLUG) -> ArticleKeys:
    return installation.lanes.of(slug).article(slug)


async def ledger(redis: Redis, keys: ArticleKeys) -> list[bytes]:
    entries: Any = await redis.lrange(keys.ledger, 0, -1)
    return list(entries)


def updates(count: int, slug: str = SLUG) -> list[Envelope]:
    return [posted(f"u{n}", slug=slug) for n in range(count)]


async def test_an_accepted_event_has_its_place_and_chain_in_its_receipt(
    appender: Appender, installation: Installation
) -> None:
    envelopes = [published(), *updates(3)]

    receipts = await file(appender, *envelopes)

    chain = ""
    for seq, (envelope, receipt) in enumerate(zip(envelopes, receipts, strict=True), start=1):
        chain = link(chain, seq, fingerprint(installation.key, envelope))
        assert receipt == Receipt(
            status="accepted",
            id=envelope["id"],
            source=envelope["source"],
            article=SLUG,
            seq=seq,
            chain=chain,
            durability="fsync",
        )


async def test_an_accepted_event_is_in_all_six_places(
    appender: Appender, installation: Installation, redis: Redis
) -> None:
    opening = published("Brücke öffnet 🌉", at="2026-03-01T09:00:00Z")
    envelope = posted("u1", at="2026-03-01T09:10:00Z") | {"traceparent": "00-1", "seq": 5}
    _, receipt = await file(appender, opening, envelope)
    keys = keys_of(installation)
    mark = fingerprint(installation.key, envelope)

    _, entry = await ledger(redis, keys)
    head = f'{{"seq":2,"chain":"{receipt.chain}","fingerprint":"{mark}","recorded":'
    assert entry.decode().startswith(head)
    assert b',"clocked":false,"event":{' in entry
    assert orjson.loads(entry)["event"] == envelope
    assert load_entry(entry).event == parse_event(envelope)

    assert await redis.hget(keys.seen, f"{envelope['id']} /newsroom/cms") == (
        f"2 {receipt.chain} {mark}".encode()
    )
    assert await redis.hgetall(keys.article) == {
        b"seq": b"2",
        b"chain": (receipt.chain or "").encode(),
        b"status": b"live",
    }
    assert await redis.hgetall(keys.posted) == {b"u1": b"live"}
    wakeups: Any = await redis.xrange(keys.lane.events)
    assert [fields for _, fields in wakeups][1] == {
        b"article": SLUG.encode(),
        b"seq": b"2",
        b"chain": (receipt.chain or "").encode(),
        b"data": orjson.dumps(envelope),
    }
    assert await redis.zscore(keys.lane.dirty, SLUG) is not None


async def test_an_article_is_behind_since_its_first_event_that_is_not_rendered(
    appender: Appender, installation: Installation, redis: Redis
) -> None:
    keys = keys_of(installation)
    await file(appender, published())
    since = await redis.zscore(keys.lane.dirty, SLUG)

    await file(appender, *updates(3))

    assert await redis.zscore(keys.lane.dirty, SLUG) == since


REFUSALS: dict[str, tuple[list[Envelope], Envelope, str]] = {
    "nothing to post to": ([], posted("u1"), "unknown-article"),
    "nothing to kill": ([], killed(), "unknown-article"),
    "an article twice": ([published()], published("Other"), "article-exists"),
    "a post after the end": ([published(), builders.closed()], posted("u1"), "article-closed"),
    "a post after a kill": ([published(), killed()], posted("u1"), "article-killed"),
    "a rebirth": ([published(), killed()], published(), "article-killed"),
    "an update twice": ([published(), posted("u1")], posted("u1"), "update-exists"),
    "a post in place of a retracted one": (
        [published(), posted("u1"), retracted("u1")],
        posted("u1"),
        "update-exists",
    ),
    "a correction of nothing": ([published()], corrected("u1"), "unknown-update"),
    "a correction of what is gone": (
        [published(), posted("u1"), retracted("u1")],
        corrected("u1"),
        "update-retracted",
    ),
    "a late event": ([published()], posted("u1") | {"baseversion": 0}, "stale"),
    "an early event": ([published()], posted("u1") | {"baseversion": 2}, "stale"),
    "an id that is taken": (
        [published(id="a")],
        posted("u1", id="a"),
        "id-conflict",
    ),
}


@pytest.mark.parametrize(("before", "envelope", "code"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_what_is_refused_leaves_no_trace(
    appender: Appender, redis: Redis, before: list[Envelope], envelope: Envelope, code: str
) -> None:
    assert await codes(appender, *before) == [None] * len(before)
    held = await contents(redis)

    [receipt] = await file(appender, envelope)

    assert receipt.status == "rejected"
    assert receipt.problem
    assert receipt.problem["code"] == code
    assert (receipt.id, receipt.article, receipt.seq) == (envelope["id"], SLUG, None)
    assert await contents(redis) == held


async def test_a_duplicate_gets_the_first_receipt_and_leaves_no_trace(
    appender: Appender, redis: Redis
) -> None:
    opening, update = published(), posted("u1")
    first = await file(appender, opening, update, killed())
    held = await contents(redis)

    again = await file(appender, update | {"traceparent": "00-2"}, opening)

    assert [(each.status, each.seq, each.chain) for each in again] == [
        ("duplicate", 2, first[1].chain),
        ("duplicate", 1, first[0].chain),
    ]
    assert await contents(redis) == held


async def test_a_batch_is_judged_event_by_event(appender: Appender) -> None:
    update = posted("u1", id="a")

    assert await codes(
        appender,
        update,
        published(),
        update,
        update,
        posted("u2", id="a"),
        posted("u2") | {"baseversion": 2},
        posted("u3") | {"baseversion": 2},
        retracted("u1"),
        corrected("u1"),
        builders.closed(),
        posted("u3"),
        builders.reopened(),
        posted("u3"),
    ) == [
        "unknown-article",
        *(None, None, None),
        "id-conflict",
        None,
        "stale",
        None,
        "update-retracted",
        None,
        "article-closed",
        *(None, None),
    ]


async def test_a_batch_of_many_steps_keeps_its_order(
    appender: Appender, installation: Installation, redis: Redis
) -> None:
    envelopes = [published(), *updates(2 * STEP_EVENTS)]

    receipts = await file(appender, *envelopes)

    assert [receipt.seq for receipt in receipts] == list(range(1, len(envelopes) + 1))
    entries = [load_entry(entry) for entry in await ledger(redis, keys_of(installation))]
    assert [entry.event.id for entry in entries if entry.event] == [
        envelope["id"] for envelope in envelopes
    ]


async def test_receipts_come_in_the_order_of_events_whatever_the_articles(
    appender: Appender, installation: Installation
) -> None:
    slugs = [f"story-{n}" for n in range(12)]
    assert len({installation.lanes.of(slug) for slug in slugs}) == LANES
    envelopes = [published(slug=slug) for slug in slugs]
    envelopes += [posted(f"u{n}", slug=slug) for n in range(3) for slug in reversed(slugs)]

    receipts = await file(appender, *envelopes)

    assert [receipt.id for receipt in receipts] == [each["id"] for each in envelopes]
    assert [receipt.seq for receipt in receipts] == [1] * 12 + [2] * 12 + [3] * 12 + [4] * 12


async def test_two_ingests_at_once_number_an_article_without_gaps(
    engine: Engine, appender: Appender, installation: Installation, redis: Redis
) -> None:
    await file(appender, published())
    async with connect(engine.url) as other:
        rival = Appender(other, installation, "fsync")
        await asyncio.gather(
            *(file(each, posted(f"{n}-{k}")) for n, each in enumerate([appender, rival] * 20)
              for k in range(3))
        )  # fmt: skip

    entries = await ledger(redis, keys_of(installation))
    chain = ""
    for seq, entry in enumerate(entries, start=1):
        record = orjson.loads(entry)
        chain = link(chain, seq, record["fingerprint"])
        assert (record["seq"], record["chain"]) == (seq, chain)
    assert len(entries) == 121


async def test_an_event_without_a_time_gets_ingests_and_is_still_known_again(
    appender: Appender, installation: Installation, redis: Redis
) -> None:
    opening = published()
    [first] = await file(appender, opening)
    [again] = await file(appender, opening)

    [entry] = await ledger(redis, keys_of(installation))
    record = orjson.loads(entry)
    event = load_entry(entry).event
    assert event
    assert event.time is not None
    assert record["clocked"] is True
    assert abs(event.time.timestamp() * 1000 - record["recorded"]) < 60_000
    assert record["fingerprint"] == fingerprint(installation.key, opening)
    assert (first.status, again.status) == ("accepted", "duplicate")


@pytest.mark.parametrize("place", FILING, ids=FILING.values())
async def test_a_record_of_the_wrong_kind_is_never_half_written(
    appender: Appender, installation: Installation, redis: Redis, place: int
) -> None:
    await file(appender, published(), posted("u1"))
    key = keys_of(installation).filing[place]
    await redis.delete(key)
    await redis.set(key, "not what it should be")
    held = await contents(redis)

    steps = [[posted("u2", embargo_until="2199-01-01T00:00:00Z")], [builders.redacted("u1")]]
    if FILING[place] not in NOT_FOR_ALL:
        steps += [[posted("u3")], [retracted("u1")], [retracted("u1"), builders.closed()]]

    receipts = [receipt for step in steps for receipt in await file(appender, *step)]

    for receipt in receipts:
        assert receipt.status == "rejected"
        assert receipt.problem
        assert receipt.problem["code"] == "busy"
    assert await contents(redis) == held


async def test_a_ledger_that_lost_its_tail_is_not_continued(
    appender: Appender, installation: Installation, redis: Redis
) -> None:
    await file(appender, published(), posted("u1"))
    await redis.rpop(keys_of(installation).ledger)
    held = await contents(redis)

    assert await codes(appender, posted("u2"), posted("u3")) == ["busy", "busy"]
    assert await contents(redis) == held


async def test_a_damaged_article_does_not_stop_its_neighbours(
    appender: Appender, installation: Installation, redis: Redis
) -> None:
    lane = installation.lanes.of(SLUG)
    slugs = (f"story-{n}" for n in range(100))
    neighbour = next(slug for slug in slugs if installation.lanes.of(slug) == lane)
    await redis.set(lane.article(SLUG).seen, "damaged")

    assert await codes(
        appender, published(), published(slug=neighbour), posted("u1"), posted("u1", slug=neighbour)
    ) == ["busy", None, "busy", None]


async def test_an_engine_that_forgot_the_script_is_told_it_again(
    appender: Appender, redis: Redis
) -> None:
    assert await statuses(appender, published()) == ["accepted"]
    await redis.script_flush()
    assert await statuses(appender, posted("u1")) == ["accepted"]
    await redis.script_flush()
    assert await statuses(appender, posted("u2"), posted("u3")) == ["accepted"] * 2


async def test_an_engine_that_keeps_forgetting_the_script_changes_no_order(
    engine: Engine, appender: Appender
) -> None:
    # Texts so long that the engine reads a batch in pieces, and serves others in between.
    texts = [posted(f"u{n}", "It moves. " * 3_000) for n in range(199)]
    envelopes = [published(), *texts]
    receipts: list[Receipt] = []

    async def forget_and_learn_again(client: Redis) -> None:
        while len(receipts) < len(envelopes):
            await client.script_flush()
            await client.script_load(appender._script.text)

    async with connect(engine.url) as other:
        forgetting = asyncio.create_task(forget_and_learn_again(other))
        for start in range(0, len(envelopes), 40):
            receipts += await file(appender, *envelopes[start : start + 40])
        await forgetting

    assert [receipt.seq for receipt in receipts] == list(range(1, 201))


async def test_a_full_engine_stores_nothing_and_says_so(appender: Appender, redis: Redis) -> None:
    await file(appender, published())
    held = await contents(redis)
    await redis.config_set("maxmemory", "1")
    try:
        alone = await codes(appender, posted("u1"))
        together = await codes(appender, posted("u1"), posted("u2"))
        assert await contents(redis) == held
    finally:
        await redis.config_set("maxmemory", "0")

    assert alone + together == ["busy"] * 3
    assert await statuses(appender, posted("u1"), posted("u2")) == ["accepted"] * 2


async def test_an_engine_that_forbids_it_stores_nothing_and_says_so(
    engine: Engine, installation: Installation, redis: Redis
) -> None:
    await redis.acl_setuser("reader", enabled=True, nopass=True, keys="*", categories=["+@read"])
    held = await contents(redis)
    try:
        async with connect(engine.url.replace("//", "//reader:x@")) as reader:
            appender = Appender(reader, installation, "fsync")
            assert await codes(appender, published()) == ["busy"]
            assert await codes(appender, published(), posted("u1")) == ["busy", "busy"]
    finally:
        await redis.acl_deluser("reader")
    assert await contents(redis) == held


@asynccontextmanager
async def own_engine(folder: Path) -> AsyncIterator[tuple[Engine, Appender]]:
    """An engine that a test may end, and an appender that soon gives up on it."""
    with Engine(folder) as engine:
        async with connect(engine.url, retries=2) as redis:
            yield engine, Appender(redis, await open_installation(redis, LANES), "fsync")


async def test_an_engine_that_is_gone_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    async with own_engine(tmp_path) as (engine, appender):
        await file(appender, published())
        engine.kill()

        [receipt] = await file(appender, posted("u1"))

        assert receipt.status == "unknown"
        assert receipt.problem
        assert receipt.problem["code"] == "durability-timeout"
        assert (receipt.seq, receipt.durability) == (None, None)


async def test_an_engine_that_dies_half_way_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelopes = [published(), *updates(3 * STEP_EVENTS - 1)]
    async with own_engine(tmp_path) as (engine, appender):
        steps: list[int] = []
        run_all = appender._script.run_all

        async def die_after_the_first(redis: Redis, calls: Sequence[Any]) -> list[Any]:
            steps.append(len(calls))
            if len(steps) == 2:
                engine.kill()
            return await run_all(redis, calls)

        monkeypatch.setattr(appender._script, "run_all", die_after_the_first)
        first = await statuses(appender, *envelopes)
        engine.start()
        second = await statuses(appender, *envelopes)

    assert first == ["accepted"] * STEP_EVENTS + ["unknown"] * 2 * STEP_EVENTS
    assert second == ["duplicate"] * STEP_EVENTS + ["accepted"] * 2 * STEP_EVENTS
    assert steps[:2] == [STEP_EVENTS, STEP_EVENTS]
    assert len(steps) == 5, "nothing is sent to an engine that has failed"


async def test_an_engine_that_hangs_is_given_up(
    appender: Appender, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await file(appender, published())
    monkeypatch.setattr("services.ingest.append.PATIENCE_SECONDS", 0.05)
    await redis.client_pause(300)

    [receipt] = await file(appender, posted("u1"))
    await redis.client_unpause()
    monkeypatch.undo()

    assert receipt.status == "unknown"
    assert await statuses(appender, posted("u1", id=receipt.id)) in (["accepted"], ["duplicate"])


UPDATES = st.sampled_from(["u1", "u1", "u2"])
ON_UPDATES = (
    posted,
    corrected,
    retracted,
    builders.pinned,
    builders.unpinned,
    builders.redacted,
)
ACTS = st.one_of(
    *(st.builds(act, UPDATES) for act in ON_UPDATES),
    st.builds(builders.revised, UPDATES, text=st.just("T")),
    st.builds(builders.reopened),
    st.builds(builders.writethru, section=st.just("S")),
    st.sampled_from([builders.closed, builders.closed, published, killed]).map(lambda act: act()),
)
FACTS = st.fixed_dictionaries(
    {"id": st.one_of(st.integers(0, 10**6), st.integers(0, 9)).map("e{}".format)},
    optional={
        "baseversion": st.integers(0, 9),
        "source": st.sampled_from(["/newsroom/cms", "/wire"]),
        "time": st.sampled_from(["2026-03-01T09:00:00Z", "2026-03-01T09:00:01Z"]),
    },
)
EVENTS = st.builds(lambda act, facts: act | facts, ACTS, FACTS)
HISTORIES = st.lists(EVENTS, min_size=20, max_size=40)
OPENINGS = st.sampled_from([[], *[[published(id="opening")]] * 9])


@given(st.tuples(OPENINGS, HISTORIES, HISTORIES))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_and_its_twin_are_of_one_mind(engine: Engine, batches: Any) -> None:
    async def by_the_script() -> tuple[bytes, list[Receipt]]:
        async with connect(engine.url) as redis:
            await redis.flushall()
            installation = await open_installation(redis, LANES)
            appender = Appender(redis, installation, "fsync")
            receipts = [each for batch in batches for each in await file(appender, *batch)]
            return installation.key, receipts

    key, receipts = asyncio.run(by_the_script())

    filing = Filing()
    for envelope, receipt in zip(
        (one for batch in batches for one in batch), receipts, strict=True
    ):
        event = parse_event(envelope)
        verdict = filing.take(event, fingerprint(key, envelope))
        if receipt.problem is None:
            assert (receipt.status, receipt.seq, receipt.chain) == (
                verdict.code,
                verdict.seq,
                verdict.chain,
            )
        else:
            assert receipt.problem["code"] == verdict.code
            assert receipt.problem["detail"] == explain(verdict.code, event, verdict.seq)
