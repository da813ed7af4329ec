"""Ingest as a process of its own, as containers run it: how it starts, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from redis.asyncio import Redis

from services.ingest.core.bodies import ONE
from shared.runtime.engine import Engine
from tests.builders import Envelope, posted, published
from tests.stack import free_ports
from tests.waiting import until


@dataclass
class Ingest:
    """A process, the port it was given, and what it has logged."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    async def get(self, path: str) -> httpx2.Response | None:
        async with httpx2.AsyncClient(trust_env=False) as http:
            try:
                return await http.get(f"http://127.0.0.1:{self.port}{path}")
            except httpx2.TransportError:
                return None

    async def file(self, envelope: Envelope) -> httpx2.Response:
        body, headers = orjson.dumps(envelope), {"content-type": ONE}
        async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
            url = f"http://127.0.0.1:{self.port}/v1/events"
            return await http.post(url, content=body, headers=headers)

    async def is_up(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return await self.get("/healthz") is not None

    def logged(self, event: str) -> list[Any]:
        lines = [orjson.loads(line) for line in self.log.read_bytes().splitlines()]
        return [line for line in lines if line["event"] == event]

    def complaint(self) -> str:
        """Return the one line that is for people; what stands before it is the log."""
        *logged, line = self.log.read_text().splitlines()
        assert all(orjson.loads(each)["event"] for each in logged)
        assert line.startswith("writethru ingest: ")
        return line.removeprefix("writethru ingest: ")

    async def ended(self, limit: float = 20) -> int:
        return await asyncio.to_thread(self.process.wait, limit)


@contextmanager
def started(folder: Path, url: str, **settings: object) -> Iterator[Ingest]:
    [port] = free_ports(1)
    facts = {"redis_url": url, "ingest_listen": f"127.0.0.1:{port}", "no_auth": True, "lanes": 3}
    log = folder / "ingest.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            env=environment(**facts | settings),
            stdout=file,
            stderr=file,
        )
    try:
        yield Ingest(process, port, log)
    finally:
        process.kill()
        process.wait()


def environment(**settings: object) -> dict[str, str]:
    own = {f"WRITETHRU_{name.upper()}": str(value) for name, value in settings.items()}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()} | own


@pytest.fixture
async def ingest(engine: Engine, redis: Redis, tmp_path: Path) -> AsyncIterator[Ingest]:
    with started(tmp_path, engine.url) as ingest:
        await until(ingest.is_up, 20)
        yield ingest


async def test_a_process_files_events_and_logs_in_lines_of_json(ingest: Ingest) -> None:
    answer = await ingest.file(published())

    assert answer.status_code == 202
    assert "server" not in answer.headers
    [received] = ingest.logged("events.received")
    assert received["service"] == "ingest"
    assert received["accepted"] == 1


async def test_what_is_no_http_is_told_to_the_log_in_a_line_of_json(ingest: Ingest) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", ingest.port)
    writer.write(b"HELO newsroom\r\n\r\n")

    assert b"400" in await reader.read()
    writer.close()
    [line] = ingest.logged("Invalid HTTP request received.")
    assert line["library"] == "uvicorn.error"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_that_is_told_to_end_finishes_what_it_has_in_hand(
    ingest: Ingest, redis: Redis, number: signal.Signals
) -> None:
    await ingest.file(published())
    await redis.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    filing = asyncio.create_task(ingest.file(posted("u1")))
    await until(lambda: is_held_up(redis))

    ingest.process.send_signal(number)
    await until(lambda: refuses_connections(ingest.port))
    await redis.client_unpause()

    assert (await filing).status_code == 202
    assert await ingest.ended() == 0
    assert ingest.logged("service.stopped")


async def is_held_up(redis: Redis) -> bool:
    found = await redis.info("clients")
    return int(found["blocked_clients"]) > 0


async def refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_a_process_waits_for_its_engine_and_then_serves(tmp_path: Path) -> None:
    [port] = free_ports(1)
    engine = Engine(tmp_path / "engine", port)
    with started(tmp_path, f"redis://127.0.0.1:{port}/0") as ingest:
        await until(lambda: ingest.logged("engine.awaited"), 20)

        with engine:
            await until(ingest.is_up, 20)

            assert (await ingest.file(published())).status_code == 202


async def test_a_process_that_waits_for_its_engine_can_be_ended(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with started(tmp_path, f"redis://127.0.0.1:{port}/0") as ingest:
        await until(lambda: ingest.logged("engine.awaited"), 20)

        ingest.process.terminate()

        assert await ingest.ended() == 0


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ("off", "durability-timeout"),  # it may have been stored
        ("cut-short=warn", "busy"),  # the engine was asked something before, and nothing was stored
    ],
)
async def test_a_process_outlives_its_engine_and_says_so(
    tmp_path: Path, checks: str, code: str
) -> None:
    with (
        Engine(tmp_path / "engine") as engine,
        started(tmp_path, engine.url, checks=checks) as ingest,
    ):
        await until(ingest.is_up, 20)
        await ingest.file(published())
        engine.kill()

        refused = await ingest.file(posted("u1", id="update-1"))
        unready = await ingest.get("/readyz")
        engine.start()
        again = await ingest.file(posted("u1", id="update-1"))

    assert refused.status_code == 503
    assert refused.json()["code"] == code
    assert unready is not None
    assert unready.status_code == 503
    assert again.status_code == 202
    assert again.json()["receipts"][0]["seq"] == 2


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "an unknown name": (
        {"LANE": 3},
        "WRITETHRU_LANE is no setting; the nearest is WRITETHRU_LANES",
    ),
    "a bad value": ({"durability": "disk"}, "WRITETHRU_DURABILITY: "),
    "other lanes": ({"lanes": 5}, "WRITETHRU_LANES is 5"),
    "no keys for all": ({"ingest_listen": "0.0.0.0:0"}, "WRITETHRU_NO_AUTH lets everybody"),
    "a host that isn't": (
        {"ingest_listen": "nowhere.invalid:80", "no_auth": False},
        "WRITETHRU_INGEST_LISTEN: nowhere.invalid:80 can't be taken",
    ),
}


@pytest.mark.parametrize(("facts", "said"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_setting_ends_the_start_with_one_line(
    ingest: Ingest, engine: Engine, tmp_path: Path, facts: dict[str, object], said: str
) -> None:
    (tmp_path / "other").mkdir()

    with started(tmp_path / "other", engine.url, **facts) as other:
        status = await other.ended()

    assert status == 78
    assert other.complaint().startswith(said)


async def test_an_address_that_is_taken_ends_the_start_with_one_line(
    ingest: Ingest, engine: Engine, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    taken = f"127.0.0.1:{ingest.port}"

    with started(tmp_path / "other", engine.url, ingest_listen=taken) as other:
        status = await other.ended()

    assert status == 78
    assert other.complaint().startswith(f"WRITETHRU_INGEST_LISTEN: {taken} can't be taken")
