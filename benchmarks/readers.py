"""What a live reader costs one deliver process, in processor and in memory."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.processes import used
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import open_newsroom
from tests.integration.newsstand import Stream, free_port, open_stream
from tests.waiting import until

READERS, CHANGES = 1_000, 30
LANES = 12


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of a processor for a reader's change; KiB of memory for a reader."""

    change_us: float
    reader_kib: float


async def measure(folder: Path, tell: Callable[[str], None]) -> Cost:
    """Open streams on one article, change it, and read every stream to its end."""
    with Engine(folder) as engine:
        port = free_port()
        environ = os.environ | {
            "WRITETHRU_REDIS_URL": engine.url,
            "WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{port}",
            "WRITETHRU_LOG_LEVEL": "error",
        }
        async with connect(engine.url) as redis:
            newsroom = await open_newsroom(redis, LANES)
            store = Store(redis, newsroom.lanes)
            await newsroom.file(published())
            await store.render(SLUG)
            with _deliver(environ) as pid:
                return await _told(newsroom.file, store, pid, port, tell)


@contextmanager
def _deliver(environ: Mapping[str, str]) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "services.deliver"], env=environ)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def _told(
    file: Callable[..., object], store: Store, pid: int, port: int, tell: Callable[[str], None]
) -> Cost:
    await until(lambda: _answers(port), 60.0)
    memory = _resident(pid)
    path = f"/articles/{SLUG}/live"
    streams = [await open_stream(port, path) for _ in range(READERS)]
    per_reader = (_resident(pid) - memory) / READERS / 1_024
    before = used([pid])
    for number in range(CHANGES):
        await file(posted(f"u{number}", "The tide has turned at the harbour mouth."))  # type: ignore[misc]
        await store.render(SLUG)
        await asyncio.gather(*(_heard(stream) for stream in streams))
    spent = used([pid]) - before
    for stream in streams:
        stream.close()
    tell(f"{READERS} readers told of {CHANGES} changes")
    return Cost(spent / READERS / CHANGES * 1e6, per_reader)


async def _heard(stream: Stream) -> None:
    assert await stream.event(60.0)


async def _answers(port: int) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as http:
        with suppress(httpx2.TransportError):
            return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    return False


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(size) * 1_024


def table(cost: Cost) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield "| one live reader | |"
    yield "|---|---:|"
    yield f"| µs of deliver's processor for each change that it is told | {cost.change_us:.0f} |"
    yield f"| KiB of deliver's memory while it waits | {cost.reader_kib:.0f} |"
