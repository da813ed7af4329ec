"""Updaters: asked over real HTTP, signed, and heard only as far as they answer as they should."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from shared.contract.signing import WrongSignature, secret_text, verify
from shared.contract.sources import Source
from shared.runtime.engine import Engine
from tests.builders import SLUG, published
from tests.feeds import STORY, FeedServer, Wire
from tests.integration.pulling import Pulling, pulling
from tests.serving import serving
from tests.stack import free_ports
from tests.waiting import until_sync

EXAMPLE = Path(__file__).parents[2] / "examples" / "updater.py"
POST = {"type": "writethru.update.posted", "data": {"text": "The first cars crossed."}}


class Answering:
    """An updater of the test's own: what it is to answer, and what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 204, b""
        self.asked: list[tuple[dict[str, str], bytes]] = []

    def say(self, value: Any, status: int = 200) -> None:
        self.status, self.body = status, orjson.dumps(value)

    @property
    def questions(self) -> list[Any]:
        return [orjson.loads(body) for _, body in self.asked]


@contextmanager
def answering() -> Iterator[tuple[Answering, str]]:
    said = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said.asked.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(said.status)
            self.send_header("location", "/elsewhere")
            if said.status != 204:
                self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body if said.status != 204 else b"")

    with serving(Handler) as port:
        yield said, f"http://127.0.0.1:{port}/"


@pytest.fixture
async def desk(redis: Redis, engine: Engine) -> AsyncIterator[Pulling]:
    async with pulling(redis, engine.url) as desk:
        await desk.file(published())
        yield desk


async def added(desk: Pulling, url: str, name: str = "robot") -> Source:
    source = Source(name=name, kind="http", url=url)
    await desk.sources.records.add(SLUG, source, datetime.now(UTC), None)
    return source


async def test_an_updater_is_told_how_the_article_stands_and_its_answer_is_filed(desk: Pulling):
    with answering() as (robot, url):
        source = await added(desk, url)
        robot.say({"events": [POST], "cursor": {"at": 7}})
        # when
        first = await desk.run(source, "2026-11-24T10:00:00Z")
        same = await desk.run(source, "2026-11-24T10:00:00Z")
        robot.status = 204
        nothing = await desk.run(source, "2026-11-24T10:10:00Z")
        # then
        (event,) = await desk.ledger()
        assert event["data"] == {"text": "The first cars crossed.", "provenance": "automated"}
        assert (first.filed, same.filed, same.duplicates) == (1, 0, 1)
        assert (nothing.unchanged, nothing.failure) == (True, None)
        question, *_, last = robot.questions
        assert (question["article"], question["cursor"]) == (SLUG, None)
        assert question["tick"] == "2026-11-24T10:00:00Z"
        assert last["cursor"] == {"at": 7}


async def test_what_an_updater_is_asked_is_signed_by_a_secret_that_only_it_has(desk: Pulling):
    with answering() as (robot, url):
        source = await added(desk, url)
        await desk.run(source)
        # when
        secret = await desk.sources.updaters.secret(SLUG, "robot")
        headers, body = robot.asked[0]
        signed = [headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature")]
        # then
        now = int(datetime.now(UTC).timestamp())
        verify([secret], signed[0], signed[1], signed[2], body, now)
        with pytest.raises(WrongSignature):
            verify([secret], signed[0], signed[1], signed[2], body + b" ", now)
        kept: Any = await desk.redis.hgetall(desk.sources.records.keys(SLUG).sources)
        assert secret_text(secret).encode() not in kept[b"robot"]
        assert secret not in kept[b"robot"]


LONG = {"type": "writethru.update.posted", "data": {"text": "x" * 300_000}}


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ([], "an object"),
        ({"event": []}, "/event"),
        ({"events": {}}, "/events"),
        ({"events": [POST, 3]}, "/events/1"),
        (
            {"events": [POST, {"type": "writethru.update.posted", "data": {}}]},
            "/events/1/data/text",
        ),
        ({"events": [{**POST, "subject": "other"}]}, "/events/0/subject"),
        ({"events": [{**POST, "source": "/newsroom/cms"}]}, "/events/0/source"),
        ({"events": [{"type": "writethru.article.killed", "data": {"note": "x"}}]}, "kill"),
        ({"events": [{"type": "writethru.article.writethru", "data": {"pull": []}}]}, "/data/pull"),
        ({"events": [POST] * 101}, "100"),
        ({"events": [LONG]}, "256 KiB"),
        ({"events": [POST], "cursor": "x" * 20_000}, "/cursor"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_an_answer_that_is_wrong_anywhere_files_nothing_and_names_the_field(
    desk: Pulling, said: Any, named: str
):
    with answering() as (robot, url):
        source = await added(desk, url)
        robot.say(said)
        # when
        outcome = await desk.run(source)
        # then
        assert outcome.failure is not None
        assert named in outcome.failure
        assert await desk.ledger() == []
        stand, _ = await desk.sources.records.stand(SLUG, source)
        assert (stand.failures, stand.cursor) == (1, None)


async def test_an_updater_is_not_followed_elsewhere_and_its_wish_to_rest_is_heard(desk: Pulling):
    with answering() as (robot, url):
        source = await added(desk, url)
        robot.status = 307
        assert (await desk.run(source)).failure == "it answers (307)"
        robot.status = 410
        assert (await desk.run(source)).gone
        assert len(robot.asked) == 2


async def test_the_example_updater_sums_a_feed_up_and_answers_nobody_without_the_secret(
    desk: Pulling,
):
    clock = {"at": 600.0}
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/"
    source = await added(desk, url)
    secret = secret_text(await desk.sources.updaters.secret(SLUG, "robot"))
    with FeedServer(Wire(STORY, lambda: clock["at"])) as feeds:
        environ = {"FEED": f"{feeds.url}/feed.json", "SECRET": secret, "PORT": str(port)}
        with example(environ, url):
            # when
            first = await desk.run(source, "1")
            clock["at"] = 1200
            second = await desk.run(source, "2")
            third = await desk.run(source, "3")
            # then
            assert [first.failure, second.failure, third.unchanged] == [None, None, True]
            assert [text for _, text in await desk.told()] == [
                "2 reports since the last update: Bridge closed; Ferry runs all night.",
                "One report since the last update: Two spans checked.",
            ]
            assert httpx2.post(url, content=b"{}", trust_env=False).status_code == 401


@contextmanager
def example(environ: dict[str, str], url: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, EXAMPLE], env=os.environ | environ)
    try:
        until_sync(lambda: listening(url))
        yield
    finally:
        process.terminate()
        process.wait()


def listening(url: str) -> bool:
    try:
        httpx2.get(url, trust_env=False)
    except httpx2.TransportError:
        return False
    return True
