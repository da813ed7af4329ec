"""How many events a second ingest stores durably, beside webdis, which stores what it is sent.

Takes turns: a round has each server and each form of request once, by wrk, on the same cores, each
on an engine of its own that begins empty and has the settings of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
from redis.asyncio import Redis

from benchmarks.processes import used
from services.ingest.core.bodies import BATCH, LINES, ONE
from shared.runtime.api_keys import create
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import published
from tests.integration.newsstand import free_port
from tests.waiting import until

ROUNDS, SECONDS, WARM_UP = 3, 3, 1
ARTICLES = 100
TEXTS, TEXT_BYTES = 256, 650
PEER = "webdis, a bare XADD"
STREAM = "peer"
_SCRIPT = Path(__file__).parent / "peers" / "post.lua"
_DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent: *many* events a request, 0 for one by itself, and whether copy is checked."""

    name: str
    media_type: str
    many: int
    connections: int
    checked: bool = True


CASES = (
    Case("one event a request", ONE, 0, 64),
    Case("one event a request, checks off", ONE, 0, 64, checked=False),
    Case("a batch of 500", BATCH, 500, 4),
    Case("a batch of 500, checks off", BATCH, 500, 4, checked=False),
    Case("NDJSON, 1,000 lines", LINES, 1_000, 4),
    Case("NDJSON, 1,000 lines, checks off", LINES, 1_000, 4, checked=False),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """Events a second; milliseconds a request; and what one event takes, µs and counts."""

    rate: float
    p50: float
    p99: float
    server_us: float
    engine_us: float
    commands: float
    sent: float
    written: float


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs, and how to know how many events it has stored."""

    port: int
    pid: int
    method: str
    path: str
    authorization: str
    stored: Callable[[], Any]


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[str, Figure | None]:
    """Return a figure for each server and form; None for a peer that is missing."""
    if not shutil.which("wrk"):
        raise SystemExit("benchmarks: this needs wrk from Debian")
    texts = _texts(folder / "texts")
    turns: list[tuple[str, Case]] = [(PEER, CASES[0])] if shutil.which("webdis") else []
    turns += [(case.name, case) for case in CASES]
    found: dict[str, list[Figure]] = {name: [] for name, _ in turns}
    for turn in range(ROUNDS):
        for place, (name, case) in enumerate(turns):
            found[name].append(await _one(name, case, texts))
            done = (turn * len(turns) + place + 1) / (ROUNDS * len(turns))
            rate = found[name][-1].rate
            tell(f"{done:4.0%}  round {turn + 1}, {name}: {rate:,.0f} events a second")
    figures: dict[str, Figure | None] = {PEER: None}
    for name, each in found.items():
        columns = zip(*map(astuple, each), strict=True)
        figures[name] = Figure(*map(statistics.median, columns))
    return figures


async def _one(name: str, case: Case, texts: Path) -> Figure:
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        async with connect(engine.url) as redis:
            # A rewrite of its file would fall into one cell or another.
            await redis.config_set("auto-aof-rewrite-percentage", 0)
            serving = _webdis if name == PEER else _ours
            async with serving(Path(folder), redis, engine.url, case.checked) as target:
                _load(target, case, texts, WARM_UP)
                return await _figure(redis, engine.pid, target, case, texts)


async def _figure(redis: Redis, engine: int, target: Target, case: Case, texts: Path) -> Figure:
    before = await _engine_facts(redis), await target.stored()
    cpu = used([target.pid]), used([engine])
    rate, p50, p99 = _load(target, case, texts, SECONDS)
    cpu = used([target.pid]) - cpu[0], used([engine]) - cpu[1]
    after = await _engine_facts(redis), await target.stored()
    stored = after[1] - before[1]
    sent = round(rate * SECONDS * max(1, case.many))
    if stored < 0.9 * sent:
        raise SystemExit(f"benchmarks: {case.name}: {stored:,} of {sent:,} events were stored")
    facts = [(more - less) / stored for less, more in zip(before[0], after[0], strict=True)]
    server_us, engine_us = (each / stored * 1e6 for each in cpu)
    return Figure(rate * max(1, case.many), p50, p99, server_us, engine_us, *facts)


async def _engine_facts(redis: Redis) -> tuple[int, int, int]:
    """Return the commands that the engine has run, and the bytes that it was sent and has kept."""
    stats, commands = await redis.info("stats"), await redis.info("commandstats")
    kept = await redis.info("persistence")
    calls = sum(each["calls"] for each in commands.values())
    return calls, stats["total_net_input_bytes"], kept["aof_current_size"]


def _load(target: Target, case: Case, texts: Path, seconds: int) -> tuple[float, float, float]:
    """Send for some seconds; return requests a second and the middle and slowest milliseconds."""
    seed = str(os.getpid() + int.from_bytes(os.urandom(2)))
    words = [str(texts), str(case.many), case.media_type, target.authorization, seed]
    done = subprocess.run(
        [
            *(
                "wrk",
                "-t1",
                f"-c{case.connections}",
                f"-d{seconds}s",
                "--latency",
                "--timeout",
                "30s",
                "-s",
                _SCRIPT,
            ),
            *(f"http://127.0.0.1:{target.port}{target.path}", "--", target.method, *words),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"benchmarks: {case.name}: {done.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    spread = [re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\s", done.stdout) for share in (50, 99)]
    if not rate or not all(spread):
        raise SystemExit(f"benchmarks: {case.name}: wrk gave no figures: {done.stdout}")
    p50, p99 = (float(each[1]) * _MS[each[2]] for each in spread if each)
    return float(rate[1]), p50, p99


_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0}


@asynccontextmanager
async def _ours(folder: Path, redis: Redis, url: str, checked: bool) -> AsyncIterator[Target]:
    """Ingest as it comes, but that no renderer takes what waits, and with keys."""
    port = free_port()
    environ = os.environ | {
        "WRITETHRU_REDIS_URL": url,
        "WRITETHRU_INGEST_LISTEN": f"127.0.0.1:{port}",
        "WRITETHRU_MAX_WAITING": "1000000000",
        **({} if checked else {"WRITETHRU_CHECKS": "off"}),
    }
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "services.ingest"]
        with _running(command, environ, stderr=log) as process:
            await until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), 60.0)
            _, token = await create(redis, "benchmark", ("publish",))
            slugs = [f"story-{number}" for number in range(ARTICLES)]
            openings = [published(slug=slug, id="opening") for slug in slugs]
            head = {"content-type": BATCH, "authorization": f"Bearer {token}"}
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                answer = await http.post("/v1/events", content=orjson.dumps(openings), headers=head)
                answer.raise_for_status()

            async def stored() -> int:
                found = [key async for key in redis.scan_iter("{wt:*}:ledger:*", count=1_000)]
                return sum([await redis.llen(key) for key in found])

            yield Target(port, process.pid, "POST", "/v1/events", head["authorization"], stored)


@asynccontextmanager
async def _webdis(folder: Path, redis: Redis, url: str, _checked: bool) -> AsyncIterator[Target]:
    """Debian's webdis with its four threads; the body is the last word of an XADD."""
    port = free_port()
    settings = {
        "redis_host": "127.0.0.1",
        "redis_port": int(url.rpartition(":")[2].partition("/")[0]),
        "http_host": "127.0.0.1",
        "http_port": port,
        "threads": 4,
        "daemonize": False,
        "verbosity": 0,
        "logfile": str(folder / "webdis.log"),
        "pidfile": str(folder / "webdis.pid"),
        "acl": [{"enabled": ["*"]}],
    }
    (folder / "webdis.json").write_bytes(orjson.dumps(settings))
    command = ["webdis", str(folder / "webdis.json")]
    with _running(command, os.environ, stderr=subprocess.DEVNULL) as process:
        await until(lambda: _answers(f"http://127.0.0.1:{port}/PING"), 30.0)

        async def stored() -> int:
            return int(await redis.xlen(STREAM))

        path = f"/XADD/{STREAM}/*/data"
        yield Target(port, process.pid, "PUT", path, "Bearer none", stored)


@contextmanager
def _running(
    command: list[str], environ: Mapping[str, str], stderr: Any = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environ, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def _answers(address: str) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(address)).status_code == 200
        except httpx2.TransportError:
            return False


def _texts(file: Path) -> Path:
    """Write texts of the documents here, a line each, as they stand in JSON."""
    said = " ".join(each.read_text("utf-8") for each in sorted(_DOCS.rglob("*.md")))
    words = re.findall(r"[A-Za-z]+[.,;]?", said)
    lines: list[str] = []
    at = 0
    while len(lines) < TEXTS:
        text = ""
        while len(text) < TEXT_BYTES:
            text, at = f"{text}{words[at % len(words)]} ", at + 1
        lines.append(f"{text.rstrip(' .,;').capitalize()}.\n")
    file.write_text("".join(lines))
    return file


def table(figures: Mapping[str, Figure | None]) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield (
        "| sent | events a second | × webdis | ms a request, p50 / p99 | µs of the server's "
        "processor an event | engine's µs | engine's commands | bytes to it | bytes it kept |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    peer = figures[PEER]
    for name, figure in figures.items():
        if figure is None:
            yield f"| {name} | Debian's webdis is not installed | | | | | | | |"
            continue
        ratio = f"{figure.rate / peer.rate:.2f}" if peer else ""
        yield (
            f"| {name} | {figure.rate:,.0f} | {ratio} | {figure.p50:.1f} / {figure.p99:.1f} | "
            f"{figure.server_us:.0f} | {figure.engine_us:.0f} | {figure.commands:.1f} | "
            f"{figure.sent:,.0f} | {figure.written:,.0f} |"
        )
