"""What telling all readers of one article costs, beside what else does that.

Servers take turns, so that what else the machine does hits all alike. Publisher, server and
readers, which are one program in C, share the machine's processors.
"""

from __future__ import annotations

import array
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.servers import SERVERS, Server, compiled, missing
from benchmarks.processes import used

FEW, MANY = 1_000, 5_000
ROUNDS = 3
SECONDS = 2.0
IN_FLIGHT = 4
#: For the time a change takes: so many, as many a second.
CALM, CALM_A_SECOND = 15, 5
OURS = "writethru"


@dataclass(frozen=True, slots=True)
class Pace:
    """Updates that came to readers a second, how many of them came in an event, µs of the server's
    processor for each, and ms until readers have one."""

    a_second: float
    an_event: float
    cpu_us: float
    p50: float
    p99: float
    last: float


@dataclass(slots=True)
class Found:
    """What was found of one server, by the number of readers; one entry a round."""

    paces: dict[int, list[Pace]] = field(default_factory=lambda: defaultdict(list))
    connection: list[float] = field(default_factory=list)
    ending: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Load:
    """The readers. *events* is how many each of them has had, *version* where they are."""

    process: asyncio.subprocess.Process
    file: Path
    many: int
    events: int = 0
    version: int = 0

    async def more(self) -> None:
        """Wait until all have had one more event."""
        assert self.process.stdout
        async with asyncio.timeout(60):
            line = (await self.process.stdout.readline()).split()
        if not line:
            raise RuntimeError("the readers have ended")
        self.events, self.version = int(line[0]), int(line[1])

    async def arrivals(self) -> Sequence[Sequence[int]]:
        """End, and return when each event came to each reader."""
        assert self.process.stdin
        self.process.stdin.close()
        await self.process.wait()
        times = array.array("q", self.file.read_bytes())
        return [times[at : at + self.many] for at in range(0, len(times), self.many)]


@asynccontextmanager
async def readers(
    program: Path, server: Server, many: int, *, ended: bool = False
) -> AsyncIterator[Load]:
    """Open streams; *ended* is whether the server is to end them, which they would complain of."""
    file = program.parent / f"arrivals-{many}"
    words = (str(server.port), server.path, str(many), str(file))
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if ended else None,
    )
    try:
        assert process.stdout
        async with asyncio.timeout(600):  # a busy machine takes its time
            assert await process.stdout.readline() == b"ready\n", "the readers got no streams"
        yield Load(process, file, many)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[str, Found]:
    """Return what was found of each server that can be run here; programs go into *folder*."""
    names = [name for name in SERVERS if name not in missing()]
    found = {name: Found() for name in names}
    program = compiled("readers", folder)
    for turn in range(ROUNDS):
        for place, name in enumerate(names):
            await _round(name, program, found[name])
            done = (turn * len(names) + place + 1) / (ROUNDS * len(names))
            few, many = (found[name].paces[readers][-1] for readers in (FEW, MANY))
            said = f"{few.a_second:,.0f} and {many.a_second:,.0f} updates to readers a second"
            tell(f"{done:4.0%}  round {turn + 1}, {name}: {said}")
    return found


async def _round(name: str, program: Path, found: Found) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with SERVERS[name](Path(folder)) as server:
            memory = {}
            for many in (FEW, MANY):
                async with readers(program, server, many):
                    memory[many] = sum(map(_resident, server.pids))
            for many in (FEW, MANY):
                async with readers(program, server, many) as load:
                    found.paces[many].append(await _pace(server, load))
            found.connection.append((memory[MANY] - memory[FEW]) / (MANY - FEW) / 1_024)
            if name == OURS:
                async with readers(program, server, MANY, ended=True):
                    begun = time.monotonic()
                    server.process.terminate()
                    await asyncio.to_thread(server.process.wait, 30)
                    found.ending.append(time.monotonic() - begun)


async def _pace(server: Server, load: Load) -> Pace:
    await _saturate(server, load, 0.5)  # to warm up
    events, version = load.events, load.version
    cpu, begun = used(server.pids), time.monotonic()
    await _saturate(server, load, SECONDS)
    seconds = time.monotonic() - begun
    updates = load.version - version if server.by_version else load.events - events
    deliveries = updates * load.many
    cpu = used(server.pids) - cpu
    first, published = load.events, []
    for _ in range(CALM):
        published.append(time.monotonic_ns())
        await server.publish()
        await load.more()
        await asyncio.sleep(1 / CALM_A_SECOND)
    arrivals = (await load.arrivals())[first : first + CALM]
    took = [
        sorted((at - begun) / 1e6 for at in came)
        for begun, came in zip(published, arrivals, strict=True)
    ]
    every = statistics.quantiles([each for event in took for each in event], n=100)
    last = statistics.median(event[-1] for event in took)
    an_event = updates / (first - events)
    cpu_us = cpu / deliveries * 1e6
    return Pace(deliveries / seconds, an_event, cpu_us, every[49], every[98], last)


async def _saturate(server: Server, load: Load, seconds: float) -> None:
    """Have some changes under way all the time, and none at the end."""
    until, at, started = time.monotonic() + seconds, 0, load.events
    told = load.version if server.by_version else 0
    while time.monotonic() < until or at > told:
        while time.monotonic() < until and at - told < IN_FLIGHT:
            at = await server.publish() if server.by_version else await _one_more(server, at)
            told = max(told, load.version if server.by_version else load.events - started)
            if server.by_version and not told:
                told = at - 1
        await load.more()
        told = load.version if server.by_version else load.events - started


async def _one_more(server: Server, at: int) -> int:
    await server.publish()
    return at + 1


def _resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(size) * 1_024


def table(found: Mapping[str, Found]) -> Iterator[str]:
    """Yield the figures as a table in Markdown, and what can't be in it."""
    yield (
        "| server | readers | updates to readers a second (lowest to highest) | against nchan | "
        "against C | in an event | µs of its processor each | ms until readers have it, "
        "p50 / p99 | … all have it | KiB a connection |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for many in (FEW, MANY):
        for name, one in found.items():
            yield _row(name, many, one, found)
    for name, why in missing().items():
        yield f"| {name} | | {why} | | | | | | | |"
    if ending := found[OURS].ending:
        yield ""
        yield (
            f"Told to end (SIGTERM) with {MANY:,} readers, ours has ended all streams and "
            f"itself after {statistics.median(ending):.1f} s."
        )


def _row(name: str, many: int, one: Found, found: Mapping[str, Found]) -> str:
    paces = one.paces[many]
    speeds = [pace.a_second for pace in paces]
    ratios = []
    for other in ("nchan", "send loop in C"):
        theirs = found[other].paces[many] if other in found else []
        pairs = zip(paces, theirs, strict=False)
        each = [mine.a_second / their.a_second for mine, their in pairs]
        ratios.append(f"{statistics.median(each):.2f} ×" if each else "")
    middle = {
        what: statistics.median(getattr(pace, what) for pace in paces)
        for what in ("an_event", "cpu_us", "p50", "p99", "last")
    }
    memory = f"{statistics.median(one.connection):.1f}" if many == MANY else ""
    return (
        f"| {name} | {many:,} | {statistics.median(speeds):,.0f} ({min(speeds):,.0f} to "
        f"{max(speeds):,.0f}) | {ratios[0]} | {ratios[1]} | {middle['an_event']:.1f} | "
        f"{middle['cpu_us']:.1f} | "
        f"{middle['p50']:.1f} / {middle['p99']:.1f} | {middle['last']:.1f} | {memory} |"
    )
