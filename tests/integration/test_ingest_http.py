"""`POST /v1/events` and its neighbours, against a real engine: every answer a publisher can get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from html import unescape
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.types import EventDict

from services.ingest.app import create_app
from services.ingest.core.bodies import (
    BATCH,
    LINES,
    MAX_BATCH_EVENTS,
    MAX_LINES,
    MAX_REQUEST_BYTES,
    ONE,
)
from shared.contract.canonical import fingerprint, link
from shared.contract.events import MAX_EVENT_BYTES
from shared.runtime.engine import Engine
from shared.runtime.problems import PROBLEMS
from shared.runtime.settings import Listen, Settings, SettingsError
from tests.builders import SLUG, Envelope, corrected, killed, posted, published, redacted
from tests.integration.contents import contents
from tests.integration.frontdesk import Frontdesk, frontdesk
from tests.waiting import until

PROBLEM = "application/problem+json"
CANARY = "Minister resigns"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        yield desk


@pytest.fixture
def ingest(desk: Frontdesk) -> httpx2.AsyncClient:
    return desk.http


async def filed(redis: Redis) -> dict[bytes, bytes]:
    """Return all that is stored of articles; what services know of each other is left out."""
    return await contents(redis, "{wt:*")


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as captured:
        yield captured


async def post(
    client: httpx2.AsyncClient, form: str | None, body: bytes, **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if form is not None:
        named["content-type"] = form
    return await client.post("/v1/events", content=body, headers=named)


async def one(client: httpx2.AsyncClient, envelope: Envelope) -> httpx2.Response:
    return await post(client, ONE, orjson.dumps(envelope))


async def batch(client: httpx2.AsyncClient, *envelopes: object) -> httpx2.Response:
    return await post(client, BATCH, orjson.dumps(envelopes))


async def lines(client: httpx2.AsyncClient, *texts: bytes) -> httpx2.Response:
    return await post(client, LINES, b"\n".join(texts))


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the problem, having looked whether it is one as RFC 9457 wants it."""
    assert answer.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"/problems/{problem['code']}"
    assert (problem["status"], problem["title"]) == PROBLEMS[problem["code"]][:2]
    return problem


async def test_an_accepted_event_is_answered_with_its_receipt(ingest: httpx2.AsyncClient) -> None:
    answer = await one(ingest, published(id="opening"))

    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    [receipt] = answer.json()["receipts"]
    assert len(receipt.pop("chain")) == 40
    assert receipt == {
        "id": "opening",
        "source": "/newsroom/cms",
        "article": SLUG,
        "status": "accepted",
        "seq": 1,
        "durability": "fsync",
        "findings": [],
    }


async def test_a_duplicate_is_answered_like_the_first(ingest: httpx2.AsyncClient) -> None:
    opening = published()
    first = (await one(ingest, opening)).json()["receipts"][0]

    answer = await one(ingest, opening)

    assert answer.status_code == 202
    assert answer.json()["receipts"] == [first | {"status": "duplicate"}]


async def test_the_chain_of_receipts_can_be_recomputed(
    ingest: httpx2.AsyncClient, redis: Redis
) -> None:
    envelopes = [published(), posted("u1"), corrected("u1")]

    receipts = (await batch(ingest, *envelopes)).json()["receipts"]

    kept: Any = await redis.hget("writethru:meta", "key")
    chain = ""
    for seq, (envelope, receipt) in enumerate(zip(envelopes, receipts, strict=True), start=1):
        chain = link(chain, seq, fingerprint(bytes.fromhex(kept.decode()), envelope))
        assert (receipt["seq"], receipt["chain"]) == (seq, chain)


SINGLE: dict[str, tuple[Envelope, str]] = {
    "the form": (published(headline=""), "invalid"),
    "the right": (redacted("u1"), "forbidden"),
    "the article": (posted("u1", slug="elsewhere"), "unknown-article"),
    "the opening": (published(), "article-exists"),
    "the update": (corrected("u2"), "unknown-update"),
    "the post": (posted("u1"), "update-exists"),
    "the id": (posted("u3", id="opening"), "id-conflict"),
    "the version": (posted("u3") | {"baseversion": 7}, "stale"),
}


@pytest.mark.parametrize(("envelope", "code"), SINGLE.values(), ids=SINGLE.keys())
async def test_one_refused_event_is_answered_with_its_problem_and_leaves_no_trace(
    ingest: httpx2.AsyncClient, redis: Redis, envelope: Envelope, code: str
) -> None:
    await batch(ingest, published(id="opening"), posted("u1"))
    held = await filed(redis)

    answer = await one(ingest, envelope)

    assert problem_of(answer)["code"] == code
    assert await filed(redis) == held


async def test_a_killed_article_is_gone(ingest: httpx2.AsyncClient) -> None:
    await batch(ingest, published(), killed())

    answer = await one(ingest, posted("u1"))

    assert problem_of(answer)["code"] == "article-killed"
    assert answer.status_code == 410


async def test_an_invalid_event_is_told_every_field(ingest: httpx2.AsyncClient) -> None:
    answer = await one(ingest, published(headline="", bdy="") | {"id": ""})

    errors = problem_of(answer)["errors"]
    assert {error["pointer"] for error in errors} == {"/id", "/data/headline", "/data/bdy"}
    assert all(error["detail"] for error in errors)


async def test_a_batch_is_accepted_when_every_event_is(ingest: httpx2.AsyncClient) -> None:
    opening = published()

    answer = await batch(ingest, opening, posted("u1"), opening)

    assert answer.status_code == 202
    statuses = [receipt["status"] for receipt in answer.json()["receipts"]]
    assert statuses == ["accepted", "accepted", "duplicate"]


async def test_a_batch_with_refusals_must_be_read(ingest: httpx2.AsyncClient) -> None:
    answer = await batch(ingest, posted("u1"), published(), 5, posted("", id="x"), posted("u1"))

    assert answer.status_code == 207
    receipts = answer.json()["receipts"]
    found = [receipt.get("problem", {}).get("code") for receipt in receipts]
    assert found == ["unknown-article", None, "malformed", "invalid", None]
    assert [receipt["status"] for receipt in receipts].count("rejected") == 3
    assert receipts[3].keys() == {"id", "source", "article", "status", "problem"}


async def test_lines_that_are_no_events_are_named_by_their_number(
    ingest: httpx2.AsyncClient,
) -> None:
    answer = await lines(
        ingest,
        b"",
        orjson.dumps(published()) + b"\r",
        b"{",
        b" \r",
        b"[]",
        orjson.dumps(posted("u1")),
    )

    assert answer.status_code == 207
    receipts = answer.json()["receipts"]
    assert [(each["status"], each.get("line")) for each in receipts] == [
        ("accepted", None),
        ("rejected", 3),
        ("rejected", 5),
        ("accepted", None),
    ]


async def test_ten_thousand_lines_are_taken_in_order(ingest: httpx2.AsyncClient) -> None:
    updates = (orjson.dumps(posted(f"u{n}", "T")) for n in range(MAX_LINES - 1))

    answer = await lines(ingest, orjson.dumps(published()), *updates)

    assert answer.status_code == 202
    seqs = [receipt["seq"] for receipt in answer.json()["receipts"]]
    assert seqs == list(range(1, MAX_LINES + 1))


@pytest.mark.parametrize(
    "form",
    [
        "application/cloudevents+json; charset=utf-8",
        "Application/CloudEvents+JSON;charset=UTF-8",
        "application/cloudevents+json ;x=y",
    ],
)
async def test_a_media_type_may_have_parameters(ingest: httpx2.AsyncClient, form: str) -> None:
    assert (await post(ingest, form, orjson.dumps(published()))).status_code == 202


async def test_no_encoding_is_an_encoding_too(ingest: httpx2.AsyncClient) -> None:
    answer = await post(ingest, ONE, orjson.dumps(published()), content_encoding="identity")

    assert answer.status_code == 202


BIG = orjson.dumps(posted("u1", "a" * MAX_EVENT_BYTES))
REQUESTS: dict[str, tuple[str | None, bytes, dict[str, str], str]] = {
    "no media type": (None, b"{}", {}, "unsupported"),
    "plain JSON": ("application/json", orjson.dumps(published()), {}, "unsupported"),
    "a form": ("application/x-www-form-urlencoded", b"a=b", {}, "unsupported"),
    "compressed": (ONE, b"\x1f\x8b", {"content_encoding": "gzip"}, "unsupported"),
    "compressed twice": (ONE, b"\x1f\x8b", {"content_encoding": "identity, br"}, "unsupported"),
    "no JSON": (ONE, b"{", {}, "malformed"),
    "nothing": (ONE, b"", {}, "malformed"),
    "a batch as one": (ONE, b"[]", {}, "malformed"),
    "one as a batch": (BATCH, b"{}", {}, "malformed"),
    "an empty batch": (BATCH, b"[]", {}, "invalid"),
    "no lines": (LINES, b"\n\n", {}, "invalid"),
    "an event too large": (ONE, BIG, {}, "too-large"),
    "a request too large": (LINES, b"\n" * (MAX_REQUEST_BYTES + 1), {}, "too-large"),
    "too many events": (BATCH, orjson.dumps([{}] * (MAX_BATCH_EVENTS + 1)), {}, "too-large"),
    "too many lines": (LINES, b"{}\n" * (MAX_LINES + 1), {}, "too-large"),
}


@pytest.mark.parametrize(
    ("form", "body", "headers", "code"), REQUESTS.values(), ids=REQUESTS.keys()
)
async def test_a_request_that_can_not_be_read_is_refused_as_a_whole(
    ingest: httpx2.AsyncClient,
    redis: Redis,
    form: str | None,
    body: bytes,
    headers: dict[str, str],
    code: str,
) -> None:
    held = await filed(redis)

    answer = await post(ingest, form, body, **headers)

    assert problem_of(answer)["code"] == code
    assert await filed(redis) == held


async def test_who_sends_another_media_type_is_told_the_three(ingest: httpx2.AsyncClient) -> None:
    detail = problem_of(await post(ingest, "application/json", b"{}"))["detail"]

    assert all(form in detail for form in (ONE, BATCH, LINES))


def test_only_a_loopback_address_goes_without_keys() -> None:
    everywhere = Listen(host="0.0.0.0", port=8000)

    create_app(Settings(no_auth=False, ingest_listen=everywhere))
    with pytest.raises(SettingsError, match=r"WRITETHRU_NO_AUTH.*loopback"):
        create_app(Settings(no_auth=True, ingest_listen=everywhere))


async def test_a_full_engine_says_when_to_come_again(
    ingest: httpx2.AsyncClient, redis: Redis
) -> None:
    await one(ingest, published())
    await redis.config_set("maxmemory", "1")
    try:
        alone = await one(ingest, posted("u1"))
        together = await batch(ingest, posted("u1"), posted("u2"))
    finally:
        await redis.config_set("maxmemory", "0")

    assert problem_of(alone)["code"] == "busy"
    assert alone.status_code == 503
    assert together.status_code == 207
    assert int(alone.headers["retry-after"]) == int(together.headers["retry-after"]) > 0


async def test_a_fault_of_ours_neither_looks_like_the_senders_nor_repeats_the_copy(
    ingest: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, logs: list[EventDict]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("services.ingest.append.fingerprint", fail)

    answer = await one(ingest, published(CANARY))

    assert problem_of(answer)["code"] == "durability-timeout"
    assert "retry-after" in answer.headers
    assert CANARY not in str(logs)


async def test_a_request_is_told_in_the_log_by_its_counts(
    ingest: httpx2.AsyncClient, logs: list[EventDict]
) -> None:
    opening = published()
    await batch(ingest, opening, opening, posted("u1"), killed(), posted("u2"))

    [received] = [line for line in logs if line["event"] == "events.received"]
    assert received["form"] == BATCH
    assert (received["accepted"], received["duplicate"], received["rejected"]) == (3, 1, 1)


async def test_what_is_refused_is_named_in_the_log_without_its_copy(
    ingest: httpx2.AsyncClient, logs: list[EventDict]
) -> None:
    await one(ingest, published(CANARY))
    await batch(
        ingest,
        published(CANARY, id="again", body=CANARY),
        posted("u1", CANARY, id="flawed", headline=f"{CANARY}\n", **{CANARY: 1}),
        posted("u1", CANARY) | {"id": CANARY, "source": CANARY, "subject": CANARY},
    )
    await post(ingest, ONE, CANARY.encode())

    refused = [line for line in logs if line["event"] == "event.refused"]
    assert [(line["code"], line["id"], line["article"]) for line in refused] == [
        ("article-exists", "again", SLUG),
        ("invalid", "flawed", SLUG),
        ("invalid", None, None),
    ]
    assert any(line["event"] == "request.refused" for line in logs)
    assert CANARY not in str(logs)


@pytest.mark.parametrize("code", PROBLEMS)
async def test_every_problem_has_a_page_that_says_what_to_do(
    ingest: httpx2.AsyncClient, code: str
) -> None:
    answer = await ingest.get(f"/problems/{code}")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert code in answer.text
    assert PROBLEMS[code].title in unescape(answer.text)
    assert (await ingest.head(f"/problems/{code}")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/problems/none", 404),
        ("GET", "/problems/<script>", 404),
        ("GET", "/", 404),
        ("POST", "/v1/events/", 404),
        ("GET", "/v1/events", 405),
        ("PUT", "/v1/events", 405),
        ("POST", "/healthz", 405),
    ],
)
async def test_what_is_not_there_is_a_problem_too(
    ingest: httpx2.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await ingest.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["type"] == "about:blank"
    assert answer.json()["detail"]


async def test_the_interface_describes_itself(ingest: httpx2.AsyncClient) -> None:
    description = (await ingest.get("/openapi.json")).json()

    assert "post" in description["paths"]["/v1/events"]


async def test_a_service_whose_pages_keep_up_is_ready(ingest: httpx2.AsyncClient) -> None:
    await one(ingest, published())

    assert (await ingest.get("/healthz")).status_code == 200
    ready = await ingest.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert all(check["ok"] and check["detail"] for check in ready.json()["checks"].values())


async def test_a_service_whose_pages_lag_is_not_ready_and_says_why(
    ingest: httpx2.AsyncClient, redis: Redis
) -> None:
    await one(ingest, published())
    [dirty] = await redis.keys("*:dirty")
    since = await redis.zscore(dirty, SLUG)
    assert since
    await redis.zadd(dirty, {SLUG: since - 60_000})

    answer = await ingest.get("/readyz")

    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert (checks["engine"]["ok"], checks["lag"]["ok"]) == (True, False)
    assert "render" in checks["lag"]["detail"]


async def test_an_endless_body_is_answered_before_it_ends(desk: Frontdesk) -> None:
    head = (
        b"POST /v1/events HTTP/1.1\r\nhost: ingest\r\ncontent-type: application/x-ndjson\r\n"
        b"transfer-encoding: chunked\r\n\r\n"
    )
    mebibyte = b"100000\r\n" + b"\n" * 1024 * 1024 + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(head + mebibyte * 9)

    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"}")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer


async def test_a_body_that_says_it_is_too_large_is_answered_before_it_begins(
    desk: Frontdesk,
) -> None:
    head = (
        b"POST /v1/events HTTP/1.1\r\nhost: ingest\r\ncontent-type: application/x-ndjson\r\n"
        b"content-length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1)
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(head)

    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"}")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_whoever_sends_far_too_much_still_gets_the_answer(desk: Frontdesk) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"\n" * 1024 * 1024

    answer = await desk.http.post(
        "/v1/events", content=pieces(), headers={"content-type": "application/x-ndjson"}
    )

    assert problem_of(answer)["code"] == "too-large"


async def test_a_body_that_stops_half_way_leaves_nothing_but_a_log_line(
    desk: Frontdesk, redis: Redis, logs: list[EventDict]
) -> None:
    body = orjson.dumps(published())
    head = (
        b"POST /v1/events HTTP/1.1\r\nhost: ingest\r\n"
        b"content-type: application/cloudevents+json\r\ncontent-length: %d\r\n\r\n" % len(body)
    )
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(head + body[:-1])
    await writer.drain()
    writer.close()

    await until(lambda: [line for line in logs if line["event"] == "request.abandoned"])
    assert await filed(redis) == {}
    assert (await desk.file(published())).status_code == 202


async def test_a_body_that_comes_too_slowly_is_not_waited_for(
    desk: Frontdesk, redis: Redis
) -> None:
    desk.be_patient_for(pause=0.05)
    head = (
        b"POST /v1/events HTTP/1.1\r\nhost: ingest\r\n"
        b"content-type: application/cloudevents+json\r\ncontent-length: 100\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(head + b"{")

    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"}")
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"malformed"' in answer
    assert b"too slowly" in answer
    assert await filed(redis) == {}


async def test_headers_without_end_are_not_read_to_it(desk: Frontdesk) -> None:
    headers = b"".join(b"x-%d: %s\r\n" % (n, b"a" * 1000) for n in range(20))

    answer = await desk.raw(b"POST /v1/events HTTP/1.1\r\nhost: ingest\r\n" + headers)

    assert answer.startswith(b"HTTP/1.1 4")
    assert (await desk.file(published())).status_code == 202


async def test_one_connection_serves_one_request_after_another(desk: Frontdesk) -> None:
    refused = await desk.file(posted("u1"))
    taken = await desk.file(published())

    assert (refused.status_code, taken.status_code) == (404, 202)
    assert "connection" not in refused.headers
