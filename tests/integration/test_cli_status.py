"""`writethru status` on a real engine, on a real stack, and in a real terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from services.render.consume import make_groups
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.keys import INBOX, REFUSED
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import open_stream
from tests.integration.test_cli_verify import writethru
from tests.stack import ENGINE, Stack, running
from tests.waiting import until_sync

FERRY = "ferry-strike"


@pytest.fixture
async def newsroom(redis: Redis) -> Newsroom:
    newsroom = await open_newsroom(redis, lanes=12)
    await make_groups(redis, newsroom.lanes)
    return newsroom


async def told(engine: Engine, *words: str) -> Any:
    status, lines, said = await writethru(
        "status", "--json", "--once", "--redis-url", engine.url, *words
    )
    assert (status, said) == (0, "")
    (line,) = lines
    return orjson.loads(line)


async def test_it_tells_programs_how_an_installation_stands(newsroom, engine):
    # given an article that is rendered, one that is behind, and what came by the inbox
    await newsroom.file(published(at="2025-11-15T04:00:44Z"), posted("u1"))
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)
    await newsroom.file(published(slug=FERRY))
    await newsroom.redis.xadd(INBOX, {"data": "{}"})
    await newsroom.redis.xadd(REFUSED, {"data": "{}"})
    # when it is asked, with the engine alone
    seen = await told(engine, "--from", "http://127.0.0.1:9")
    # then it knows
    assert seen["articles"]["count"] == 1
    assert seen["articles"]["newest"]["article"] == SLUG
    assert (seen["behind"], seen["unread"], seen["pending"]) == (1, 3, 0)
    assert (seen["filed"], seen["commits"]) == (3, 1)
    assert seen["cadence"] == {"on_time": 0, "due": 0, "overdue": 1, "articles": []}
    assert seen["inbox"] == {"waiting": 1, "refused": 1}
    assert seen["deliver"] == [
        {"url": "http://127.0.0.1:9", "ready": False, "trouble": "does not answer"}
    ]
    [late] = [lane for lane in seen["lanes"] if lane["behind"]]
    assert late["lane"] == newsroom.keys(FERRY).lane.tag
    assert len(seen["lanes"]) == 12


async def test_it_names_quarantined_events(newsroom, engine):
    await newsroom.file(published(), posted("a"))
    keys = newsroom.keys()
    record: Any = await newsroom.redis.lindex(keys.ledger, 1)
    await newsroom.redis.lset(keys.ledger, 1, record.replace(b"update.posted", b"update.sung"))
    await Store(newsroom.redis, newsroom.lanes).render(SLUG)

    assert (await told(engine))["quarantine"] == {SLUG: [2]}


async def test_into_a_file_it_is_plain_text_once(newsroom, engine):
    status, lines, said = await writethru("status", "--redis-url", engine.url)

    assert (status, said) == (0, "")
    assert lines[0].startswith("writethru on 127.0.0.1:")
    assert lines[-1].split()[0] == "all"
    assert "\x1b" not in "".join(lines)


async def test_an_engine_without_an_installation_is_one_line(redis, engine):
    status, lines, said = await writethru("status", "--redis-url", engine.url)

    assert (status, lines) == (1, [])
    assert "nothing was ever published to this engine" in said
    assert await redis.dbsize() == 0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("up")) as stack:
        yield stack


async def test_it_counts_the_readers_of_each_deliver(stack):
    stack.file([published()])
    stack.page(SLUG, 1)
    stream = await open_stream(stack.deliver_port, f"/articles/{SLUG}/live")

    status, lines, _ = await writethru(
        "status", "--json", "--once", "--from", stack.deliver, folder=stack.folder
    )

    stream.close()
    assert status == 0
    [deliver] = orjson.loads(lines[0])["deliver"]
    assert (deliver["ready"], deliver["readers"]) == (True, 1)


class Terminal:
    """A command in a terminal of its own, and what came out there."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._here, there = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", *words],
            cwd=folder,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        )
        os.close(there)
        os.set_blocking(self._here, False)
        self._text = b""

    def said(self) -> str:
        try:
            while more := os.read(self._here, 65_536):
                self._text += more
        except OSError:  # nothing more yet, or nobody there any more
            pass
        return self._text.decode(errors="replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._here)


@pytest.fixture
def terminal(stack: Stack) -> Iterator[Terminal]:
    terminal = Terminal(stack.folder, "status", "--from", stack.deliver)
    yield terminal
    terminal.close()


def times(said: str) -> list[str]:
    return re.findall(r" at (\d\d:\d\d:\d\d)", said)


def test_in_a_terminal_it_follows_and_leaves_the_last_of_it_behind(stack, terminal):
    # given a view on a screen of its own
    until_sync(lambda: "\x1b[?1049h" in terminal.said())
    # when something happens
    stack.file([published(slug="seen-live")])
    until_sync(lambda: "newest seen-live" in terminal.said())
    # and it goes on after the engine was away
    os.kill(stack.pid_of(ENGINE), signal.SIGSTOP)
    until_sync(lambda: "the engine does not answer" in terminal.said(), 10)
    os.kill(stack.pid_of(ENGINE), signal.SIGCONT)
    shown = len(times(terminal.said()))
    until_sync(lambda: len(times(terminal.said())) > shown + 1, 20)
    # then Ctrl-C ends it, and the terminal is as it was, with the last view in it
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(10) == 0
    left = terminal.said().rpartition("\x1b[?1049l")[2]
    assert "newest seen-live" in left
    assert "\x1b[?25h" in terminal.said()
    assert "Traceback" not in terminal.said()
