"""From a command until what it starts is ready, and what that takes of the processor."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx2

from shared.runtime.engine import Engine
from shared.runtime.installation import open_installation
from shared.runtime.redis import connect
from shared.runtime.settings import Settings
from tests.stack import free_ports

ROOT = Path(__file__).parent.parent
WRAPPER = str(ROOT / "writethru")
ROUNDS = 5
READY_SECONDS = 30.0
LOOK_SECONDS = 0.002

#: What a person waits for at most, in seconds, on this kind of machine.
HELP_CLAIM, UP_CLAIM = 0.15, 2.0
NOTHING, FOUND = "`python -c pass`", "`python3 -c pass`, as PATH has it"
HELP, UP = "`python writethru --help`", "`./writethru up`, until it is ready"
IMPORTS = "deliver's imports"


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the clock, and of all processors."""

    wall: float
    processor: float


Found = dict[str, Took]


async def measure(folder: Path, tell: Callable[[str], None]) -> Found:
    taken: dict[str, list[Took]] = {}
    with Engine(folder / "engine") as engine:
        async with connect(engine.url) as redis:
            await open_installation(redis, Settings.from_env({}).lanes)
        for number in range(ROUNDS + 1):
            tell(f"round {number} of {ROUNDS}")
            async for name, took in _round(folder / str(number), engine.url):
                # The first is for the disk, and for what is compiled once.
                taken.setdefault(name, []).extend([took] if number else [])
    return {
        name: Took(median(each.wall for each in all_), median(each.processor for each in all_))
        for name, all_ in taken.items()
    }


async def _round(folder: Path, url: str) -> AsyncIterator[tuple[str, Took]]:
    for name, words in _ending(folder):
        yield name, await _until_ended(words)
    for service in ("ingest", "render", "deliver"):
        yield f"{service}, until it is ready", await _service(service, url)
    yield UP, await _up(folder)


def _ending(folder: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what ends by itself: its name and its command."""
    program = "import services.deliver.__main__"
    here = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"
    source = folder / "source"
    for part in ("services", "shared"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, source / part, ignore=ignored)
    uncompiled = f"import sys; sys.path.insert(0, {str(source)!r}); {program}"
    lean = (
        "import sys, importlib.machinery as m;"
        "sys.modules['__main__'].__spec__ = m.ModuleSpec('services.deliver.__main__', None);"
    )
    yield NOTHING, [sys.executable, "-c", "pass"]
    yield FOUND, ["/usr/bin/env", "python3", "-c", "pass"]
    yield HELP, [sys.executable, WRAPPER, "--help"]
    yield "`python writethru publish --help`", [sys.executable, WRAPPER, "publish", "--help"]
    yield IMPORTS, [sys.executable, "-c", lean + here]
    yield f"{IMPORTS}, and what would come along unused", [sys.executable, "-c", here]
    yield (
        f"{IMPORTS}, and that, and ours compiled each time",
        [sys.executable, "-B", "-c", uncompiled],
    )


async def _until_ended(words: Sequence[str]) -> Took:
    before, began = _children(), perf_counter()
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
    if await child.wait():
        raise SystemExit(f"{words} failed")
    return Took(perf_counter() - began, _children() - before)


async def _service(service: str, url: str) -> Took:
    port, beside = free_ports(2)
    environ = {
        "WRITETHRU_REDIS_URL": url,
        "WRITETHRU_NO_AUTH": "true",
        "WRITETHRU_LOG_LEVEL": "error",
        "WRITETHRU_METRICS_LISTEN": f"127.0.0.1:{beside}",
        "WRITETHRU_INGEST_LISTEN": f"127.0.0.1:{port}",
        "WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{port}",
    }
    words = [sys.executable, "-m", f"services.{service}"]
    async with _running(words, environ) as (child, before, began):
        await _ready(f"http://127.0.0.1:{beside}/readyz")
        wall = perf_counter() - began
        await _ended(child)
        return Took(wall, _children() - before)


async def _up(folder: Path) -> Took:
    """Its processor is that of all its processes, the engine too, and of ending them."""
    ingest, deliver = map(str, free_ports(2))
    words = ["up", "--no-auth", "--ingest-port", ingest, "--deliver-port", deliver]
    data = ["--data-dir", str(folder / "data")]
    async with _running([WRAPPER, *words, *data], {}) as (child, before, began):
        assert child.stdout
        async for line in child.stdout:
            if b"ready" in line:
                break
        wall = perf_counter() - began
        await _ended(child)
        return Took(wall, _children() - before)


@asynccontextmanager
async def _running(
    words: Sequence[str], environ: dict[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, float, float]]:
    before, began = _children(), perf_counter()
    child = await asyncio.create_subprocess_exec(
        *words, env=os.environ | environ, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield child, before, began
    finally:
        if child.returncode is None:
            await _ended(child)


async def _ended(child: asyncio.subprocess.Process) -> None:
    child.send_signal(signal.SIGINT)
    await child.communicate()


async def _ready(url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http, asyncio.timeout(READY_SECONDS):
        while True:
            try:
                if (await http.get(url)).status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(LOOK_SECONDS)


def _children() -> float:
    """Return the seconds of processor of all that we have started and seen end."""
    times = os.times()
    return times.children_user + times.children_system


def table(found: Found) -> Iterator[str]:
    yield "| started | ms | ms of processor | … against nothing |"
    yield "|---|---:|---:|---:|"
    nothing = found[NOTHING].processor
    for name, took in found.items():
        against = f"{took.processor / nothing:,.0f} ×"
        yield f"| {name} | {took.wall * 1000:,.0f} | {took.processor * 1000:,.0f} | {against} |"


def failures(found: Found) -> list[str]:
    claims = {HELP: HELP_CLAIM, UP: UP_CLAIM}
    return [
        f"{re.sub('`', '', name)} took {found[name].wall:.2f} s, and at most {most} s are claimed"
        for name, most in claims.items()
        if found[name].wall > most
    ]
