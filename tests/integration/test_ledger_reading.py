"""An article's events, read back over HTTP: whole, in order, and without what was taken back."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from services.ingest import ledger
from services.ingest.ledger import CHUNK_EVENTS
from shared.contract.events import MAX_EVENT_BYTES
from shared.runtime.engine import Engine
from tests.builders import (
    SLUG,
    Envelope,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    writethru,
)
from tests.integration.frontdesk import Frontdesk, frontdesk

TIME = "2026-03-01T09:10:00Z"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url) as desk:
        yield desk


def lines(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.content.splitlines()]


async def filed(desk: Frontdesk, *events: Envelope) -> list[dict[str, Any]]:
    token = await desk.key("publish", "correct", "kill")
    answer = await desk.file_lines(*map(orjson.dumps, events), token=token)
    receipts: list[dict[str, Any]] = answer.json()["receipts"]
    assert {each["status"] for each in receipts} == {"accepted"}
    return receipts


async def test_events_come_back_as_they_were_filed_with_seq_and_chain(desk: Frontdesk) -> None:
    events = [
        published("Brücke öffnet 🌉", at=TIME) | {"traceparent": "00-1f-2e-01"},
        posted("u1", at=TIME),
    ]
    receipts = await filed(desk, *events)

    answer = await desk.events(SLUG, token=await desk.key("read"))

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    assert lines(answer) == [
        event | {"seq": receipt["seq"], "chain": receipt["chain"]}
        for event, receipt in zip(events, receipts, strict=True)
    ]


async def test_an_event_without_a_time_has_the_one_that_ingest_gave_it(desk: Frontdesk) -> None:
    await filed(desk, published())

    (event,) = lines(await desk.events(SLUG, token=await desk.key("read")))

    assert event["time"].endswith("Z")


async def test_reading_goes_on_after_any_seq_over_many_chunks(desk: Frontdesk) -> None:
    count = CHUNK_EVENTS * 2 + 1
    await filed(desk, published(), *(posted(f"u{n}") for n in range(count - 1)))
    token = await desk.key("read")

    for after in (None, 0, 1, CHUNK_EVENTS, count - 1):
        seqs = [each["seq"] for each in lines(await desk.events(SLUG, after, token))]
        assert seqs == list(range((after or 0) + 1, count + 1))
    for after in (count, count + 1, 10**15 - 1):
        answer = await desk.events(SLUG, after, token)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("slug", ["no-such-article", "No-Slug", "a" * 129, "a%20b"])
async def test_an_article_that_is_not_there_is_unknown(desk: Frontdesk, slug: str) -> None:
    answer = await desk.events(slug, token=await desk.key("read"))

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-article")


@pytest.mark.parametrize("after", ["-1", "one", "1.5", "", "1" * 16])
async def test_an_after_that_is_no_seq_is_a_bad_request(desk: Frontdesk, after: str) -> None:
    answer = await desk.http.get(f"/v1/articles/{SLUG}/events", params={"after": after})

    assert answer.status_code == 400
    assert "after is the seq" in answer.json()["detail"]


async def test_reading_takes_a_key_with_the_scope_for_that_article(desk: Frontdesk) -> None:
    await filed(desk, published())

    assert (await desk.events(SLUG)).status_code == 401
    assert (await desk.events(SLUG, token=await desk.key("publish"))).status_code == 403
    other = await desk.key("read", articles=("ferry-*",))
    answer = await desk.events(SLUG, token=other)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    # What is there is no business of whoever may not read it
    assert (await desk.events("no-such-article", token=other)).status_code == 403


async def test_text_that_was_retracted_is_masked_but_for_admins(desk: Frontdesk) -> None:
    await filed(
        desk,
        published(),
        posted("u1", "A minister resigned."),
        posted("u2", "The second."),
        corrected("u1", "A minister resigns.", "Tense."),
        pinned("u1"),
        retracted("u1", "It did not happen."),
    )

    shown = await desk.events(SLUG, token=await desk.key("read"))
    whole = await desk.events(SLUG, token=await desk.key("admin"))

    assert "resign" not in shown.text
    texts = [each["data"].get("text") for each in lines(shown)]
    assert texts == [None, "[masked]", "The second.", "[masked]", None, None]
    assert [each.get("masked") for each in lines(shown)] == [None, True, None, True, None, None]
    assert [each["data"].get("note") for each in lines(shown)[3:]] == [
        "Tense.", None, "It did not happen.",
    ]  # fmt: skip
    assert whole.text.count("minister") == 2
    assert "masked" not in whole.text


async def test_of_a_killed_article_nothing_is_left_but_the_note_on_the_kill(
    desk: Frontdesk,
) -> None:
    await filed(
        desk,
        published("Minister resigns", "The minister."),
        posted("u1", "The minister."),
        writethru(headline="Minister stays", note="The minister."),
        killed("Legal advice."),
    )

    shown = await desk.events(SLUG, token=await desk.key("read"))

    assert "inister" not in shown.text
    assert lines(shown)[-1]["data"] == {"note": "Legal advice."}
    assert "inister" in (await desk.events(SLUG, token=await desk.key("admin"))).text


@pytest.mark.parametrize("end", [[], [killed()]], ids=["live", "killed"])
async def test_what_is_read_folds_to_the_page_that_the_whole_ledger_gives(
    desk: Frontdesk, end: list[Envelope]
) -> None:
    await filed(
        desk,
        published(locale="de-DE", timezone="Europe/Berlin"),
        posted("u1", "One.", headline="A headline", authors=["A. Hand"]),
        posted("u2", "Two."),
        corrected("u1", "One and a half.", "Halves."),
        retracted("u1"),
        *(each | {"id": "the-end"} for each in end),
    )

    pages = [
        await fold((await desk.events(SLUG, token=await desk.key(scope))).content)
        for scope in ("read", "admin")
    ]

    assert pages[0] == pages[1]
    assert ("Withdrawn" if end else "Two.") in pages[0]


async def fold(events: bytes) -> str:
    """Run `writethru fold -` on *events*."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "fold", "-"), stdin=PIPE, stdout=PIPE
    )
    page, _ = await process.communicate(events)
    assert process.returncode == 0
    return page.decode()


async def test_the_largest_event_there_is_can_be_folded_as_it_is_read(desk: Frontdesk) -> None:
    event = orjson.dumps(published(body="%"))
    largest = event.replace(b"%", b"a" * (MAX_EVENT_BYTES - len(event) + 1))
    answer = await desk.post(largest, token=await desk.key("publish"))
    assert answer.json()["receipts"][0]["status"] == "accepted"

    read = await desk.events(SLUG, token=await desk.key("read"))

    assert len(read.content) > MAX_EVENT_BYTES
    assert "Harbour bridge reopens" in await fold(read.content)


async def test_a_ledger_that_cannot_be_read_is_busy_not_empty(desk: Frontdesk) -> None:
    await filed(desk, published())
    token = await desk.key("read")
    keys = desk.app.state.ledgers.lanes.of(SLUG).article(SLUG)
    await desk.redis.delete(keys.ledger)
    await desk.redis.set(keys.ledger, "another type")

    answer = await desk.events(SLUG, token=token)

    assert (answer.status_code, answer.json()["code"]) == (503, "busy")


async def test_a_ledger_that_goes_silent_in_the_middle_breaks_off_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "PATIENCE_SECONDS", 0.05)

    async def lines() -> AsyncIterator[bytes]:
        yield b"the first"
        await asyncio.Event().wait()

    shown = await ledger._begun(lines())

    assert await anext(shown) == b"the first"
    with pytest.raises(TimeoutError):
        await anext(shown)
