"""What a source's server may do to us: move, rest, be packed, be too large, hang, be inside."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.core.sources.documents import MAX_DOCUMENT
from services.ingest.sources.fetching import rest_of
from shared.contract.sources import Source
from shared.runtime.dialing import RULES
from shared.runtime.engine import Engine
from tests.builders import published
from tests.integration.pulling import Pulling, pulling
from tests.serving import serving

FEED = b"<rss version='2.0'><channel><item><guid>a</guid><title>News</title></item></channel></rss>"
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answers: dict[str, Answer]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Pulling]:
    async with pulling(redis, engine.url) as desk:
        await desk.file(published())
        yield desk


async def pulled(desk: Pulling, answers: dict[str, Answer]) -> Any:
    with answering(answers) as url:
        return await desk.run(Source(name="wire", url=f"{url}/feed"))


async def test_a_feed_that_moved_and_is_packed_is_had_all_the_same(desk: Pulling):
    outcome = await pulled(
        desk,
        {
            "/feed": (301, {"location": "/b"}, b""),
            "/b": (302, {"location": "c#part"}, b""),
            "/c": (
                200,
                {"content-encoding": "gzip", "content-type": "no/sense"},
                gzip.compress(FEED),
            ),
        },
    )

    assert (outcome.failure, outcome.filed) == (None, 1)


BOMB = gzip.compress(b"<" * (MAX_DOCUMENT + 1))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, {"location": "/feed"}, b""), "more than 5 times"),
        ((302, {"location": "http://[x"}, b""), "no address"),
        ((302, {"location": "file:///etc/passwd"}, b""), "https://"),
        ((200, {"content-encoding": "gzip"}, BOMB), "larger than 5 MiB"),
        ((200, {"content-encoding": "gzip"}, BOMB[:-20]), "larger than 5 MiB"),
        ((200, {"content-encoding": "gzip"}, gzip.compress(FEED)[:-9]), "larger than|packed"),
        ((200, {"content-encoding": "gzip"}, FEED), "packed"),
        ((200, {}, b"x" * (MAX_DOCUMENT + 1)), "larger than 5 MiB"),
        ((200, {}, b"<html></html>"), "no feed"),
        ((404, {}, b""), "404"),
    ],
    ids=[
        "round",
        "nowhere",
        "file",
        "bomb",
        "cut bomb",
        "cut",
        "unpacked",
        "large",
        "page",
        "none",
    ],
)
async def test_what_cannot_be_had_is_a_failure_in_words(desk: Pulling, answer: Answer, said: str):
    outcome = await pulled(desk, {"/feed": answer})

    assert outcome.failure is not None
    assert any(each in outcome.failure for each in said.split("|"))
    assert await desk.ledger() == []


async def test_a_source_that_wants_rest_or_is_gone_is_understood(desk: Pulling):
    busy = await pulled(desk, {"/feed": (429, {"retry-after": "120"}, b"")})
    gone = await pulled(desk, {"/feed": (410, {}, b"")})

    assert (busy.retry_after, busy.gone) == (120.0, False)
    assert (gone.retry_after, gone.gone) == (None, True)


async def test_what_is_inside_is_not_called(redis: Redis, engine: Engine):
    async with pulling(redis, engine.url, RULES) as desk:
        await desk.file(published())
        with answering({"/feed": (200, {}, FEED)}) as url:
            outcome = await desk.run(Source(name="wire", url=f"{url}/feed"))

    assert outcome.failure is not None
    assert outcome.filed == 0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("999999999999", 86_400.0),
        ("Tue, 24 Nov 2026 10:01:00 GMT", 60.0),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said: str, seconds: float | None):
    at = datetime(2026, 11, 24, 10, tzinfo=UTC)

    assert rest_of({"retry-after": said}, at) == seconds


def test_the_bomb_is_one():
    assert len(zlib.decompress(BOMB, wbits=31)) > 500 * len(BOMB)
