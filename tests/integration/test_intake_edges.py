"""The limits of what a request may be, at the limit and one beyond, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest import answers
from services.ingest.core.bodies import (
    BATCH,
    LINES,
    MAX_BATCH_EVENTS,
    MAX_LINES,
    MAX_REQUEST_BYTES,
    ONE,
)
from shared.contract.events import MAX_DEPTH, MAX_EVENT_BYTES
from shared.runtime.engine import Engine
from tests.builders import SLUG, Envelope, posted, published
from tests.integration.frontdesk import Frontdesk, frontdesk, said


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        yield desk


async def code(desk: Frontdesk, body: bytes, media_type: str = ONE) -> str:
    """Send *body* by itself, and return what became of it."""
    answer = await desk.post(body, media_type)
    document = answer.json()
    if "receipts" in document:
        (receipt,) = document["receipts"]
        return said(receipt)
    assert answer.status_code == document["status"]
    return str(document["code"])


def an_event_of(size: int) -> bytes:
    event = orjson.dumps(published(body="%"))
    return event.replace(b"%", b"a" * (size - len(event) + 1))


def nested(depth: int) -> bytes:
    """An event *depth* levels deep."""
    inner = b"[" * (depth - 2) + b"]" * (depth - 2)
    return orjson.dumps(published()).replace(b'"data":{', b'"data":{"deep":' + inner + b",")


async def test_thirty_two_levels_are_read_and_thirty_three_are_not(desk: Frontdesk) -> None:
    assert await code(desk, nested(MAX_DEPTH)) == "invalid"  # there is no field "deep"
    assert await code(desk, nested(MAX_DEPTH + 1)) == "malformed"
    assert await code(desk, b"[" * 100_000) == "malformed"


async def test_an_event_has_256_kib_and_not_a_byte_more(desk: Frontdesk) -> None:
    assert await code(desk, an_event_of(MAX_EVENT_BYTES + 1)) == "too-large"
    assert await code(desk, an_event_of(MAX_EVENT_BYTES)) == "accepted"
    # Filed, it comes back with seq and chain, and is still an event that can be folded
    (line,) = (await desk.events(SLUG)).content.splitlines()
    assert len(line) > MAX_EVENT_BYTES


async def test_a_batch_has_500_events_and_not_one_more(desk: Frontdesk) -> None:
    events = [published(), *(posted(f"u{n}") for n in range(MAX_BATCH_EVENTS - 1))]

    full = await desk.post(orjson.dumps(events), BATCH)
    beyond = await desk.post(orjson.dumps([*events, posted("more")]), BATCH)

    assert full.status_code == 202
    assert [each["seq"] for each in full.json()["receipts"]] == list(range(1, 501))
    assert (beyond.status_code, beyond.json()["code"]) == (413, "too-large")


async def test_a_request_has_10_000_lines_and_not_one_more(desk: Frontdesk) -> None:
    full = await desk.post(b"5\n" * MAX_LINES, LINES)
    beyond = await desk.post(b"5\n" * (MAX_LINES + 1), LINES)

    assert full.status_code == 207
    receipts = full.json()["receipts"]
    assert (len(receipts), receipts[-1]["line"]) == (MAX_LINES, MAX_LINES)
    assert (beyond.status_code, beyond.json()["code"]) == (413, "too-large")


async def test_a_request_has_8_mib_and_not_a_byte_more(desk: Frontdesk) -> None:
    event = orjson.dumps(published())
    full = event + b"\n" * (MAX_REQUEST_BYTES - len(event))

    assert await code(desk, full, LINES) == "accepted"
    assert await code(desk, full + b"\n", LINES) == "too-large"


async def test_a_request_without_a_length_has_8_mib_too(desk: Frontdesk) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"\n" * 1024 * 1024

    answer = await desk.http.post("/v1/events", content=endless(), headers={"content-type": LINES})

    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def with_text(text: bytes) -> bytes:
    return orjson.dumps(published(body="%")).replace(b"%", text)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(with_text(b"\xff"), "malformed", id="a byte that is no UTF-8"),
        pytest.param(with_text(b"\xed\xa0\xbd"), "malformed", id="a surrogate in UTF-8"),
        pytest.param(with_text(rb"\ud83d"), "malformed", id="a lone surrogate"),
        pytest.param(with_text(rb"\ud83d\ude00"), "accepted", id="a pair of surrogates"),
        pytest.param(with_text(rb"\u0000"), "invalid", id="an escaped NUL"),
        pytest.param(with_text(b"\x00"), "malformed", id="a raw NUL"),
        pytest.param(b"\x00", "malformed", id="nothing but a NUL"),
        pytest.param(with_text(b'","body":"'), "malformed", id="a name twice"),
        pytest.param(b"\xef\xbb\xbf" + with_text(b"a"), "accepted", id="a byte order mark"),
        pytest.param(with_text(b"a") + b"x", "malformed", id="something after it"),
        pytest.param(b"", "malformed", id="nothing"),
        pytest.param(b"null", "malformed", id="null"),
    ],
)
async def test_bytes_that_could_be_read_in_two_ways_are_not_read(
    desk: Frontdesk, body: bytes, expected: str
) -> None:
    assert await code(desk, body) == expected
    # A batch and lines judge the event as it judges itself
    lines = await code(desk, body.replace(b"\n", b""), LINES)
    assert lines == ("duplicate" if expected == "accepted" else expected) or not body


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1", "accepted"),
        ("86400", "accepted"),
        ("86401", "invalid"),
        ("1.0", "invalid"),
        ("1e2", "invalid"),
        ("1e400", "invalid"),
        ("-1e400", "invalid"),
        ("9007199254740993", "invalid"),
        ("18446744073709551616", "malformed"),
        ("1" * 5000, "malformed"),
        ("NaN", "malformed"),
        ("-Infinity", "malformed"),
        ("01", "malformed"),
        ("true", "invalid"),
    ],
)
@pytest.mark.parametrize("field", ["cadence_seconds", "baseversion"])
async def test_huge_and_odd_numbers_are_refused_not_rounded(
    desk: Frontdesk, number: str, expected: str, field: str
) -> None:
    event: Envelope = published()
    place: dict[str, Any] = event["data"] if field == "cadence_seconds" else event
    place[field] = 0
    body = orjson.dumps(event).replace(f'"{field}":0'.encode(), f'"{field}":{number}'.encode())

    if field == "baseversion" and number in ("1", "86400", "86401"):
        expected = "stale"  # in form, but the article is at no such version
    assert await code(desk, body) == expected


HEAD = (
    b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/cloudevents+json\r\n"
)


@pytest.fixture
def short_parting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait long for a client that goes on sending after its answer."""
    monkeypatch.setattr(answers, "PARTING_SECONDS", 0.2)


async def test_a_body_that_stops_half_way_is_refused_once_patience_ends(
    desk: Frontdesk, short_parting: None
) -> None:
    desk.be_patient_for(pause=0.2)

    answer = await desk.raw(HEAD + b"Content-Length: 100\r\n\r\n", b'{"specversion":')

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in answer.lower()
    assert b'"code":"malformed"' in answer
    assert b"too slowly" in answer


async def test_a_client_that_sends_a_byte_at_a_time_is_refused_once_patience_ends(
    desk: Frontdesk, short_parting: None
) -> None:
    desk.be_patient_for(whole=0.3)
    event = orjson.dumps(published())

    answer = await desk.trickle(HEAD + f"Content-Length: {len(event)}\r\n\r\n".encode(), event)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"too slowly" in answer
    assert (await desk.events(SLUG)).status_code == 404


async def test_a_client_that_goes_away_half_way_files_nothing(desk: Frontdesk) -> None:
    await desk.leave(HEAD + b"Content-Length: 100\r\n\r\n" + orjson.dumps(published())[:50])

    assert (await desk.events(SLUG)).status_code == 404
    assert (await desk.file(published())).status_code == 202


async def test_a_slow_client_does_not_hold_up_others(desk: Frontdesk) -> None:
    async with desk.hanging(HEAD + b"Content-Length: 100\r\n\r\n{"):
        assert (await desk.file(published())).status_code == 202
