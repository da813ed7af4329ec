"""Deliver as a process of its own, as containers run it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from services.deliver.__main__ import MAX_HEADER_BYTES
from services.render.store import Store
from shared.runtime.engine import Engine
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import LANES, free_port, open_stream
from tests.waiting import until, until_sync

SERVE = ("-m", "services.deliver")
#: The same, but streams that don't end by themselves are not ended by force within a test's time.
SERVE_PATIENTLY = (
    "-c",
    "from services.deliver import __main__ as it; it.GRACE_SECONDS = 600; exit(it.main())",
)


@contextmanager
def deliver(
    log: Path,
    settings: Mapping[str, object],
    files: int = 0,
    serve: Sequence[str] = SERVE,
) -> Iterator[subprocess.Popen[bytes]]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    environ |= {f"WRITETHRU_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, *serve]
    if files:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environ, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def answers(port: int, path: str) -> httpx2.Response | None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            return await http.get(f"http://127.0.0.1:{port}{path}")
        except httpx2.TransportError:
            return None


async def is_ready(port: int) -> bool:
    answer = await answers(port, "/readyz")
    return answer is not None and answer.status_code == 200


async def has_readers(port: int, number: int) -> bool:
    answer = await answers(port, "/readyz")
    assert answer is not None
    detail: str = answer.json()["checks"]["readers"]["detail"]
    return detail.startswith(f"{number} of ")


async def open_article(redis: Redis) -> tuple[Newsroom, Store]:
    newsroom = await open_newsroom(redis, LANES)
    store = Store(redis, newsroom.lanes)
    await newsroom.file(published())
    await store.render(SLUG)
    return newsroom, store


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_ends_its_streams_cleanly_and_at_once(
    redis, engine, tmp_path, number
):
    # given a process with open streams
    port = free_port()
    await open_article(redis)
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings, serve=SERVE_PATIENTLY) as process:
        await until(lambda: is_ready(port))
        streams = [await open_stream(port, path) for path in (f"/articles/{SLUG}/live", "/live")]
        polling = asyncio.create_task(answers(port, f"/articles/{SLUG}/changes?since=1&wait=25"))
        await until(lambda: has_readers(port, 3))

        # when it is told to stop
        process.send_signal(number)

        # then each stream ends as streams end, and so does the process, without a complaint
        assert [await stream.event() for stream in streams] == [None, None]
        polled = await polling
        assert polled is not None
        assert polled.status_code == 204
        status = await asyncio.to_thread(process.wait, 30)
        assert status == 0
        for stream in streams:
            stream.close()
    events = [orjson.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    started = ["metrics.served", "service.started", "hub.following"]
    assert events == [*started, "service.stopped"]


async def test_a_reader_that_takes_nothing_does_not_keep_it_from_ending(redis, engine, tmp_path):
    # given a stream with more in it than its reader takes
    port = free_port()
    newsroom, store = await open_article(redis)
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings) as process:
        await until(lambda: is_ready(port))
        stream = await open_stream(port, f"/articles/{SLUG}/live", narrow=True)
        for number in range(24):
            await newsroom.file(posted(f"u{number}", "word" * 40_000))
            await store.render(SLUG)

        # when the process is told to stop
        process.terminate()

        # then it does
        status = await asyncio.to_thread(process.wait, 30)
        assert status == 0
        stream.close()
    assert "exception" not in (tmp_path / "log").read_text()
    assert "service.stopped" in (tmp_path / "log").read_text()


async def test_it_tells_nothing_about_its_server_and_logs_no_requests(redis, engine, tmp_path):
    port = free_port()
    await open_article(redis)
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings):
        await until(lambda: is_ready(port))

        answer = await answers(port, f"/articles/{SLUG}.json")

        assert answer is not None
        assert "server" not in answer.headers
    assert SLUG not in (tmp_path / "log").read_text()


async def test_headers_without_end_are_cut_off(redis, engine, tmp_path):
    # given a process, and somebody who sends it a header that never ends
    port = free_port()
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings):
        await until(lambda: is_ready(port))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\nx: ")

        # when it has sent more than any header needs, and waits
        writer.write(b"y" * 2 * MAX_HEADER_BYTES)

        # then the process hangs up
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                await reader.read()
        writer.close()


async def test_with_few_files_it_keeps_fewer_readers_and_goes_on(redis, engine, tmp_path):
    # given a process that may have 520 files, where pages, log and engine need some
    port = free_port()
    await open_article(redis)
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings, files=520):
        await until(lambda: is_ready(port))

        # when more readers come than it has files for
        streams = [await open_stream(port, "/live") for _ in range(30)]

        # then those beyond are asked to come back, and pages are served
        assert [stream.status for stream in streams] == [200] * 20 + [503] * 10
        answer = await answers(port, f"/articles/{SLUG}.json")
        assert answer is not None
        assert answer.status_code == 200
        for stream in streams:
            stream.close()


async def test_it_waits_for_an_engine_that_is_not_there_yet(tmp_path):
    # given an engine that has been, and is not
    with Engine(tmp_path / "engine") as engine:
        engine.stop()
        port = free_port()
        settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
        with deliver(tmp_path / "log", settings) as process:
            await until(lambda: "engine.awaited" in (tmp_path / "log").read_text())
            assert process.poll() is None

            engine.start()

            await until(lambda: is_ready(port))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"deliver_listen": "nowhere"}, "WRITETHRU_DELIVER_LISTEN"),
        ({"deliver_lisen": "127.0.0.1:8080"}, "WRITETHRU_DELIVER_LISTEN"),
        ({"lanes": LANES + 1}, "WRITETHRU_LANES"),
    ],
)
async def test_a_wrong_setting_is_one_line_and_status_78(redis, engine, tmp_path, settings, named):
    await open_newsroom(redis, LANES)
    with deliver(tmp_path / "log", {"redis_url": engine.url} | settings) as process:
        until_sync(lambda: process.poll() is not None)

    assert process.returncode == 78
    [line] = (tmp_path / "log").read_text().splitlines()
    assert named in line
