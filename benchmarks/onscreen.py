"""From filed to on screen: how long until a reader's line has what was filed, and where it goes.

Updates of a hundred articles are posted at a steady pace, one request each, and a thousand
readers, one program in C, note when each comes to them. Ours is the whole stack as `up` runs it,
durably stored; beside it, servers that pass on what is posted. All share the machine.
"""

from __future__ import annotations

import array
import asyncio
import itertools
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import charts
from benchmarks.document import DOCUMENT
from benchmarks.peers.passing import PEERS, Passing, absent
from benchmarks.peers.servers import compiled
from benchmarks.stages import observed

ARTICLES, READERS = 100, 1_000
A_SECOND, SECONDS, STAGE_SECONDS = 100, 8.0, 5.0
LINES = 32
PLOT = DOCUMENT.parent / "images" / "onscreen.svg"
OURS = "writethru"


@dataclass(slots=True)
class Found:
    """Milliseconds from before an event is posted: until answered, and until each reader has it.

    *missing* is how many readers did not get one; *stages* are medians and 99th percentiles.
    """

    answered: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)
    missing: int = 0
    stages: Mapping[str, Sequence[float]] = field(default_factory=dict)


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[str, Found]:
    """Measure ours and the peers that can be run, in turn; draw the plot."""
    program = compiled("onlookers", folder)
    found = {}
    for name, opened in PEERS.items():
        if name in absent():
            continue
        with tempfile.TemporaryDirectory() as its:
            async with opened(Path(its), ARTICLES) as server:
                await _round(program, server, 1.0)  # to warm up
                found[name] = await _round(program, server, SECONDS)
                if server.engine:
                    found[name].stages = await _stages(program, server)
        middle = statistics.median(found[name].seen)
        tell(f"{len(found)} of {len(PEERS)}, {name}: {middle:.1f} ms in the middle")
    charts.shares(
        PLOT,
        "From before it is posted until a reader has it",
        {name: one.seen for name, one in found.items()},
    )
    return found


async def _round(program: Path, server: Passing, seconds: float) -> Found:
    async with _looking(program, server) as file:
        begun, answered = await _post(server, seconds)
    sights = _sights(file)
    found = Found(answered=[(answered[mark] - at) / 1e6 for mark, at in begun.items()])
    for mark, at in begun.items():
        came = sights.get(mark, {})
        found.seen += [(each - at) / 1e6 for each in came.values()]
        found.missing += READERS // ARTICLES - len(came)
    return found


async def _stages(program: Path, server: Passing) -> Mapping[str, Sequence[float]]:
    """Return the milliseconds of each stage, by what somebody beside it sees of the engine."""
    assert server.engine
    async with observed(server.engine) as noted, _looking(program, server) as file:
        begun, answered = await _post(server, STAGE_SECONDS)
    stages: dict[str, list[float]] = {}
    for mark, came in _sights(file).items():
        if mark not in begun or not {mark} <= noted.filed.keys() & noted.told.keys():
            continue
        seen = statistics.median(came.values())
        times = {
            "posted → in the ledger, on disk": noted.filed[mark] - begun[mark],
            "in the ledger → rendered, in the outbox": noted.told[mark] - noted.filed[mark],
            "in the outbox → written to sockets, with the reader": seen - noted.told[mark],
            "beside it: posted → answered": answered[mark] - begun[mark],
        }
        for name, nanoseconds in times.items():
            stages.setdefault(name, []).append(nanoseconds / 1e6)
    return stages


@asynccontextmanager
async def _looking(program: Path, server: Passing) -> AsyncIterator[Path]:
    """Have readers look until this ends, and what they saw be in a file then."""
    file = program.parent / "sights"
    words = (str(server.port), server.path, str(ARTICLES), str(READERS), str(file))
    process = await asyncio.create_subprocess_exec(
        program, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdin
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n", "the readers got no streams"
        yield file
        await asyncio.sleep(0.5)  # what is under way arrives
        process.stdin.close()
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _sights(file: Path) -> Mapping[int, Mapping[int, int]]:
    """Return when each mark was first seen by each reader."""
    numbers = array.array("q", file.read_bytes())
    found: dict[int, dict[int, int]] = {}
    for moment, reader, mark in zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True):
        found.setdefault(mark, {}).setdefault(reader, moment)
    return found


_marks = itertools.count(1)


async def _post(server: Passing, seconds: float) -> tuple[dict[int, int], dict[int, int]]:
    """Post at a steady pace; return when each mark was posted, and when answered."""
    lines = [await asyncio.open_connection("127.0.0.1", server.posts_to) for _ in range(LINES)]
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for line in lines:
        idle.put_nowait(line)
    begun: dict[int, int] = {}
    answered: dict[int, int] = {}

    async def one(mark: int) -> None:
        request = server.request(mark, mark % ARTICLES)
        reader, writer = await idle.get()
        begun[mark] = time.monotonic_ns()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answered[mark] = time.monotonic_ns()
        if not head.startswith(b"http/1.1 2"):
            raise RuntimeError(f"refused: {head.decode()}")
        await _skip(reader, head)
        idle.put_nowait((reader, writer))

    due = time.monotonic()
    async with asyncio.timeout(seconds + 30), asyncio.TaskGroup() as tasks:
        for mark in itertools.islice(_marks, int(seconds * A_SECOND)):
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.create_task(one(mark))
            due += 1 / A_SECOND
    for _, writer in lines:
        writer.close()
    return begun, answered


async def _skip(reader: asyncio.StreamReader, head: bytes) -> None:
    if b"chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        size = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(size or 0))


def table(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield the figures as tables in Markdown."""
    yield (
        f"| {A_SECOND} events a second, {READERS:,} readers of {ARTICLES} articles | stored | "
        "answered, ms p50 / p99 | with a reader, ms p50 / p99 / all | not seen |"
    )
    yield "|---|---|---:|---:|---:|"
    for name, one in found.items():
        stored = "on disk, in order, once" if name == OURS else PEERS_STORE[name]
        yield (
            f"| {name} | {stored} | {_two(one.answered)} | {_two(one.seen)} / "
            f"{max(one.seen):.1f} | {one.missing} |"
        )
    for name, why in absent().items():
        yield f"| {name} | | {why} | | |"
    yield ""
    yield f"| where it goes ({OURS}) | ms p50 / p99 |"
    yield "|---|---:|"
    for stage, times in found[OURS].stages.items():
        yield f"| {stage} | {_two(times)} |"


#: What each peer keeps of what is posted.
PEERS_STORE = {"nchan": "no", "ASGI by hand, XADD first": "on disk"}


def failures(found: Mapping[str, Found]) -> Sequence[str]:
    """Say whether somebody did not see what was filed."""
    return [f"{each.missing} were not seen" for each in [found[OURS]] if each.missing]


def _two(times: Sequence[float]) -> str:
    cuts = statistics.quantiles(times, n=100)
    return f"{cuts[49]:.1f} / {cuts[98]:.1f}"
