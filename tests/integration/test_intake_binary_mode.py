"""Binary mode over a real socket: the same event as in structured mode, or the same refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from redis.asyncio import Redis

from shared.runtime.engine import Engine
from tests.builders import SLUG, posted, published
from tests.integration.frontdesk import Frontdesk, frontdesk

JSON = "application/json"
HEADERS = {
    "ce_specversion": "1.0",
    "ce_id": "e7",
    "ce_source": "/newsroom/cms",
    "ce_type": "writethru.update.posted",
    "ce_subject": SLUG,
}
BODY = b'{"update_id": "u1", "text": "The first cars crossed."}'


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url, no_auth=True) as desk:
        await desk.file(published())
        yield desk


async def test_an_event_in_binary_mode_is_the_one_in_structured_mode(desk: Frontdesk) -> None:
    binary = await desk.post(BODY, "application/json; charset=utf-8", **HEADERS)
    structured = await desk.file(posted("u1", id="e7"))

    assert binary.status_code == 202
    assert binary.json()["receipts"][0]["status"] == "accepted"
    assert structured.json()["receipts"][0]["status"] == "duplicate"
    *_, last = (await desk.events(SLUG)).content.splitlines()
    assert orjson.loads(last)["datacontenttype"] == "application/json; charset=utf-8"


async def test_extensions_come_through_decoded_and_baseversion_counts(desk: Frontdesk) -> None:
    more = {"ce_desk": "Z%C3%BCrich%20night", "ce_baseversion": "1"}

    first = await desk.post(BODY, JSON, **HEADERS, **more)
    pin = HEADERS | {"ce_id": "e8", "ce_type": "writethru.update.pinned", "ce_baseversion": "1"}
    late = await desk.post(b'{"update_id": "u1"}', JSON, **pin)

    assert first.status_code == 202
    assert (late.status_code, late.json()["code"]) == (409, "stale")
    *_, last = (await desk.events(SLUG)).content.splitlines()
    assert orjson.loads(last)["desk"] == "Zürich night"
    assert orjson.loads(last)["baseversion"] == 1


async def test_json_without_headers_of_cloudevents_is_unsupported(desk: Frontdesk) -> None:
    answer = await desk.post(BODY, JSON)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported")
    assert "ce-id" in answer.json()["detail"]


async def test_a_header_that_is_missing_is_named(desk: Frontdesk) -> None:
    answer = await desk.post(BODY, JSON, ce_id="e7")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == ["/specversion", "/source", "/type", "/subject"]
    assert "ce-source" in answer.text


async def test_in_structured_mode_the_body_counts(desk: Frontdesk) -> None:
    body = orjson.dumps(posted("u1", id="e7"))

    answer = await desk.post(body, **HEADERS | {"ce_id": "another", "ce_subject": "elsewhere"})

    assert answer.json()["receipts"][0]["id"] == "e7"
    assert answer.json()["receipts"][0]["article"] == SLUG
