"""How many may come, and how often: each limit at its edge and one beyond, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import orjson
import pytest
from redis.asyncio import Redis

from services.ingest import connections
from services.ingest.__main__ import MAX_HEADER_BYTES
from services.ingest.core.bodies import BATCH, ONE
from shared.contract.events import MAX_LINES
from shared.runtime.api_keys import parts
from shared.runtime.engine import Engine
from shared.runtime.keys import filed
from tests.builders import SLUG, posted, published, redacted, retracted
from tests.integration.frontdesk import Frontdesk, frontdesk
from tests.waiting import until

GET = b"GET /healthz HTTP/1.1\r\nHost: ingest\r\n"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Frontdesk]:
    async with frontdesk(redis, engine.url) as desk:
        yield desk


async def test_a_key_files_as_many_events_a_minute_as_it_may_and_not_one_more(
    desk: Frontdesk,
) -> None:
    token, other = await desk.key("publish", rate=3), await desk.key("publish")

    assert [
        (await desk.file(each, token=token)).status_code
        for each in (published(), posted("u1"), posted("u2"))
    ] == [202, 202, 202]
    beyond = await desk.file(posted("u3"), token=token)

    assert (beyond.status_code, beyond.json()["code"]) == (429, "busy")
    assert 1 <= int(beyond.headers["retry-after"]) <= 60
    assert beyond.json()["detail"] == "The key may file 3 events a minute."
    assert (await desk.file(posted("u3"), token=other)).status_code == 202

    # When the minute is over, it begins anew
    assert 0 < await desk.redis.ttl(filed(parts(token)[0])) <= 60
    await desk.redis.delete(filed(parts(token)[0]))
    assert (await desk.file(posted("u4"), token=token)).status_code == 202


async def test_events_that_are_sent_together_are_filed_together_or_not_at_all(
    desk: Frontdesk,
) -> None:
    token = await desk.key("publish", rate=3)
    await desk.file(published(), posted("u1"), token=token)

    too_many = await desk.file(posted("u2"), posted("u3"), token=token)
    one = await desk.file(posted("u4"), token=token)

    assert (too_many.status_code, one.status_code) == (429, 202)
    assert one.json()["receipts"][0]["seq"] == 3


async def test_a_request_that_never_fits_is_told_so(desk: Frontdesk) -> None:
    token = await desk.key("publish", rate=3)
    events = [published(), *(posted(f"u{n}") for n in range(3))]

    never = await desk.post(orjson.dumps(events), BATCH, token)
    full = await desk.post(orjson.dumps(events[:3]), BATCH, token)

    assert (never.status_code, never.json()["code"]) == (413, "too-large")
    assert "4 events" in never.json()["detail"]
    assert full.status_code == 202


async def test_what_takes_a_text_back_never_waits(desk: Frontdesk) -> None:
    token = await desk.key("publish", "correct", "admin", rate=2)
    await desk.file(published(), posted("u1"), token=token)

    assert (await desk.file(posted("u2"), token=token)).status_code == 429
    assert (await desk.file(retracted("u1"), token=token)).status_code == 202
    assert (await desk.file(redacted("u1"), token=token)).status_code == 202


async def test_what_is_out_of_form_or_forbidden_does_not_count(desk: Frontdesk) -> None:
    token = await desk.key("publish", articles=(SLUG,), rate=1)

    assert (await desk.post(b"{}", ONE, token)).status_code == 422
    assert (await desk.file(published(slug="pier"), token=token)).status_code == 403
    assert (await desk.file(published(), token=token)).status_code == 202


async def test_a_text_is_filed_with_as_many_lines_as_it_may_have_and_not_one_more(
    desk: Frontdesk,
) -> None:
    token = await desk.key("publish")
    await desk.file(published(), token=token)

    full = await desk.file(posted("u1", "\n".join("a" * MAX_LINES)), token=token)
    beyond = await desk.file(posted("u2", "\n".join("a" * (MAX_LINES + 1))), token=token)

    assert (full.status_code, beyond.status_code) == (202, 422)
    assert beyond.json()["errors"][0]["pointer"] == "/data/text"


async def test_as_many_connections_are_answered_as_may_be_open_and_not_one_more(
    desk: Frontdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    async with AsyncExitStack() as held:
        await held.enter_async_context(desk.hanging(GET))
        await held.enter_async_context(desk.hanging(b""))

        refused = await desk.raw(b"")

        assert refused.startswith(b"HTTP/1.1 503 ")
        head, _, body = refused.partition(b"\r\n\r\n")
        assert b"retry-after: 2" in head
        assert orjson.loads(body)["code"] == "busy"

    # When they have gone, others get in
    async def answered() -> bool:
        return (await desk.raw(GET + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    await until(answered)


@pytest.mark.parametrize("sent", [b"", b"G", GET], ids=["nothing", "a letter", "half a head"])
async def test_a_head_that_does_not_come_is_waited_for_only_so_long(
    desk: Frontdesk, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)

    answer = await desk.raw(sent)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in answer


async def test_a_second_request_has_as_long_as_the_first_and_an_idle_connection_longer(
    desk: Frontdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.4)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    try:
        writer.write(GET + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(3)  # "ok" and a line feed

        # Nothing is begun, so nothing is awaited
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 1.0)

        writer.write(GET)
        assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 400 ")
    finally:
        writer.close()


async def test_a_body_may_take_longer_than_a_head(
    desk: Frontdesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    desk.be_patient_for(pause=0.8)
    head = b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"

    answer = await desk.raw(head + b"Content-Length: 9\r\n\r\n{")

    assert b"The body came too slowly" in answer


async def test_a_head_has_16_kib_and_not_much_more(desk: Frontdesk) -> None:
    start, end = GET + b"Connection: close\r\nX-Long: ", b"\r\n\r\n"

    def head(size: int) -> bytes:
        return start + b"a" * (size - len(start) - len(end)) + end

    assert (await desk.raw(head(MAX_HEADER_BYTES))).startswith(b"HTTP/1.1 200 ")
    # A head is read in pieces, and looked at whenever one has come without an end
    beyond = await desk.raw(head(MAX_HEADER_BYTES + 1)[:-1])
    assert beyond.startswith(b"HTTP/1.1 400 ")
