"""`writethru sources`, as an operator runs it: real processes on a real engine."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest
from redis.asyncio import Redis

from services.cli.__main__ import run
from shared.runtime.engine import Engine
from tests.builders import SLUG, published, writethru
from tests.feeds import STORY, FeedServer, Wire
from tests.integration.pulling import Pulling, pulling


@pytest.fixture
async def desk(redis: Redis, engine: Engine, monkeypatch) -> AsyncIterator[Pulling]:
    monkeypatch.setenv("WRITETHRU_REDIS_URL", engine.url)
    monkeypatch.setenv("WRITETHRU_LANES", "2")
    monkeypatch.setenv("WRITETHRU_OUTBOUND_ALLOW", "127.0.0.0/8")
    async with pulling(redis, engine.url) as desk:
        await desk.file(published())
        yield desk


class Terminal:
    """Runs `writethru sources` in this process, whose loop goes on beside."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(run, ["sources", *words])
        said = self._capsys.readouterr()
        return status, said.out, said.err


async def test_a_source_is_added_tried_pulled_listed_paused_and_removed(
    desk: Pulling, capsys: pytest.CaptureFixture[str]
):
    sources = Terminal(capsys)
    wire = Wire(STORY, lambda: 600, datetime.now(UTC))
    with FeedServer(wire) as server:
        url = f"{server.url}/feed.rss"
        # when
        added = await sources("add", SLUG, url, "--name", "wire")
        tried = await sources("test", SLUG, "wire")
        before = await desk.ledger()
        ran = await sources("run-now", SLUG)
        paused = await sources("pause", SLUG, "wire")
        listed = await sources("list", SLUG)
        facts = await sources("list", SLUG, "--json")
        wire.fail(1, 503)
        failed = await sources("run-now", SLUG, "wire")
        shown = await sources("list")
        removed = await sources("remove", SLUG, "wire")
        # then
        assert [each[0] for each in (added, tried, ran, paused, listed, removed)] == [0] * 6
        assert "Bridge closed" in tried[1]
        assert before == []
        assert orjson.loads(ran[1])["filed"] == 2
        assert len(await desk.ledger()) == 2
        assert "paused" in listed[1]
        assert orjson.loads(facts[1])["filed"] == 2
        assert failed[0] == 1
        assert failed[2].count("\n") == 1
        assert "wire: it answers (503)" in failed[2]
        assert "1 failed in a row: it answers (503)" in shown[1]
        assert max(map(len, shown[1].splitlines())) <= 80
        assert await desk.sources.of(SLUG) == ()


async def test_an_updaters_secret_is_printed_alone_and_can_be_renewed(
    desk: Pulling, capsys: pytest.CaptureFixture[str]
):
    sources = Terminal(capsys)
    first = await sources("add", SLUG, "http://127.0.0.1:9/", "--kind", "http", "--name", "robot")
    again = await sources("secret", SLUG, "robot")
    other = await sources("secret", SLUG, "robot", "--renew")

    assert first[1] == again[1]
    assert first[1].startswith("whsec_")
    assert other[1] != first[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "no-such", "https://wire.example/"), "no article no-such"),
        (("add", SLUG, "ftp://wire.example/"), "URL"),
        (("add", SLUG, "https://wire.example/", "--name", "A b"), "--name"),
        (("add", SLUG, "https://wire.example/", "--name", "given"), "already"),
        (("remove", SLUG, "given"), "event"),
        (("test", SLUG, "other"), "no source other"),
        (("secret", SLUG, "given"), "no updater"),
        (("list", "no-such"), "no article no-such"),
    ],
)
async def test_what_cannot_be_is_said_in_one_line(
    desk: Pulling, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
):
    await desk.file(writethru(pull=[{"name": "given", "url": "https://wire.example/feed"}]))

    status, out, err = await Terminal(capsys)(*words)

    assert status in (1, 2)
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_the_command_says_what_it_can_do():
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "sources", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    for name in ("add", "list", "pause", "resume", "remove", "test", "run-now", "secret"):
        assert name in done.stdout
