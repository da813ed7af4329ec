"""Every problem that a publisher can meet, from the request that the manual shows for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape as html_unescape

import httpx2
import pytest
from redis.asyncio import Redis

from services.ingest import append
from services.ingest.core.bodies import BATCH
from services.ingest.manual.examples import EVENTS, PROBLEMS
from shared.contract.acts import ACTS
from shared.runtime.api_keys import parts, revoke, rotate
from shared.runtime.door import FAILURES
from shared.runtime.engine import Engine
from shared.runtime.problems import MEDIA_TYPE
from shared.runtime.problems import PROBLEMS as CODES
from tests.builders import closed, killed, posted, published, retracted
from tests.integration.frontdesk import Frontdesk, frontdesk

#: What can't be shown in a line, or needs more than a request.
LONG_BATCH = b"[" + b"{}," * 500 + b"{}]"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url) as desk:
        yield desk


async def newsroom(desk: Frontdesk) -> None:
    """File what the examples presuppose: three articles, one closed and one killed."""
    token = await desk.key("publish", "correct", "kill")
    bridge = [published(), posted("update-1", id="update-1"), posted("update-2")]
    ferry = [published(slug="night-ferry"), closed(slug="night-ferry")]
    pier = [published(slug="old-pier"), killed(slug="old-pier")]
    said = await desk.statuses(*bridge, retracted("update-2"), *ferry, *pier, token=token)
    assert set(said) == {"accepted"}


async def request(desk: Frontdesk, code: str, token: str) -> httpx2.Response:
    example = PROBLEMS[code]
    body = LONG_BATCH if code == "too-large" else example.body.encode()
    return await desk.post(body, example.media_type, token if example.authorization else None)


def described(answer: httpx2.Response, code: str, status: int | None = None) -> None:
    """Check that *answer* is the problem *code* as the contract has it."""
    document = answer.json()
    assert answer.status_code == document["status"] == (status or CODES[code].status)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["cache-control"] == "no-store"
    assert (document["type"], document["code"]) == (f"/problems/{code}", code)
    assert document["title"] == CODES[code].title
    assert document["detail"]


@pytest.mark.parametrize("code", sorted(CODES.keys() - {"busy", "durability-timeout"}))
async def test_the_request_that_the_manual_shows_gets_its_problem(
    desk: Frontdesk, code: str
) -> None:
    await newsroom(desk)

    answer = await request(desk, code, await desk.key("publish", "correct"))

    described(answer, code)
    assert ("www-authenticate" in answer.headers) is (code == "unauthenticated")
    assert ("errors" in answer.json()) is (code == "invalid")


async def test_busy_is_a_full_engine(desk: Frontdesk) -> None:
    await newsroom(desk)
    token = await desk.key("publish")
    await desk.redis.config_set("maxmemory", "1")
    try:
        answer = await request(desk, "busy", token)
    finally:
        await desk.redis.config_set("maxmemory", "0")

    described(answer, "busy", 503)
    assert int(answer.headers["retry-after"]) > 0


async def test_busy_is_an_address_that_failed_too_often(desk: Frontdesk) -> None:
    token = await desk.key("publish")
    for _ in range(FAILURES):
        await request(desk, "busy", f"{token}x")

    answer = await request(desk, "busy", token)

    described(answer, "busy", 429)
    assert int(answer.headers["retry-after"]) > 0


async def test_durability_timeout_is_an_engine_that_went_silent(
    desk: Frontdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await newsroom(desk)
    token = await desk.key("publish")
    monkeypatch.setattr(append, "PATIENCE_SECONDS", 0.2)
    await desk.redis.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    try:
        answer = await request(desk, "durability-timeout", token)
    finally:
        await desk.redis.execute_command("CLIENT", "UNPAUSE")

    described(answer, "durability-timeout")
    assert int(answer.headers["retry-after"]) > 0
    # Sent again with the same id it takes effect once, whatever became of it
    again = await request(desk, "durability-timeout", token)
    assert again.json()["receipts"][0]["status"] in ("accepted", "duplicate")
    twice = await request(desk, "durability-timeout", token)
    assert twice.json()["receipts"][0]["status"] == "duplicate"


@pytest.mark.parametrize("how", ["expired", "revoked", "unknown", "no token"])
async def test_a_key_that_is_valid_no_more_is_unauthenticated(desk: Frontdesk, how: str) -> None:
    token = await desk.key("publish")
    match how:
        case "expired":
            await rotate(desk.redis, parts(token)[0], timedelta())
        case "revoked":
            await revoke(desk.redis, parts(token)[0])
        case "unknown":
            token = f"wt_00_{parts(token)[1]}"
        case _:
            token = "sesame"

    described(await desk.file(published(), token=token), "unauthenticated")


@pytest.mark.parametrize("code", CODES)
async def test_every_problem_has_a_page_with_cause_remedy_and_example(
    desk: Frontdesk, code: str
) -> None:
    answer = await desk.http.get(f"/problems/{code}")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sh")
    for said in (CODES[code].title, CODES[code].cause, CODES[code].remedy, PROBLEMS[code].when):
        assert said in html_unescape(answer.text)
    assert PROBLEMS[code].body in html_unescape(answer.text)
    assert (await desk.http.head(f"/problems/{code}")).status_code == 200


async def test_a_problem_that_there_is_not_has_no_page(desk: Frontdesk) -> None:
    answer = await desk.http.get("/problems/teapot")

    assert answer.status_code == 404
    assert "stale" in answer.json()["detail"]


async def test_the_events_of_the_manual_are_accepted_in_their_order(desk: Frontdesk) -> None:
    token = await desk.key("admin")

    assert set(await desk.statuses(*EVENTS, token=token)) == {"accepted"}

    assert {event["type"] for event in EVENTS} == ACTS.keys()


@pytest.mark.parametrize(
    "facts", [{"media_type": "text/plain"}, {"content_encoding": "gzip"}, {"media_type": BATCH}]
)
async def test_a_refusal_says_nothing_of_what_was_sent(
    desk: Frontdesk, facts: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    token = await desk.key("publish")
    canary = b'{"text": "Minister resigns"}'

    answer = await desk.post(canary, **facts, token=token)

    assert answer.status_code in (400, 415)
    for said in (answer.text, *capfd.readouterr()):
        assert "Minister" not in said
        assert parts(token)[1] not in said
