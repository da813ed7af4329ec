"""How long `writethru rebuild` takes, and whether its memory grows with what there is to rebuild.

The command is run as an operator runs it, its start included, twice: on ledgers beside which
nothing is stored, and then over what the first run has stored.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.copy import MARKED, PROSE
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import posted, published
from tests.integration.newsroom import open_newsroom

EVENTS_AN_ARTICLE = 100
LANES = 12
#: What is rebuilt: how the updates read, and how many events there are.
RUNS = {
    "prose, 20,000 events": (PROSE, 20_000),
    "prose, 80,000 events": (PROSE, 80_000),
    "links and emphasis, 20,000 events": (MARKED, 20_000),
}
#: Events a second, and by how much memory may grow when there is four times as much to do.
PACE, FLAT = 20_000, 1.2


@dataclass(frozen=True, slots=True)
class Run:
    """How long a rebuild took, its processors' seconds, and the memory of its largest process."""

    events: int
    seconds: float
    cpu: float
    mebibytes: float


@dataclass(frozen=True, slots=True)
class Rebuilds:
    """Without what is stored, and over it."""

    anew: Run
    over: Run


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[str, Rebuilds]:
    found = {}
    for number, (name, (text, events)) in enumerate(RUNS.items()):
        home = folder / str(number)
        home.mkdir()
        with Engine(home) as engine:
            tell(f"{name}: filing them")
            await _file(engine.url, text, events)
            anew = await asyncio.to_thread(_rebuild, engine.url, events)
            over = await asyncio.to_thread(_rebuild, engine.url, events)
        tell(f"{name}: {events / anew.seconds:,.0f} events a second")
        found[name] = Rebuilds(anew, over)
    return found


async def _file(url: str, text: str, events: int) -> None:
    async with connect(url) as redis:
        newsroom = await open_newsroom(redis, LANES)
        for number in range(events // EVENTS_AN_ARTICLE):
            slug = f"story-{number}"
            posts = (posted(f"u{n}", text, slug=slug) for n in range(1, EVENTS_AN_ARTICLE))
            await newsroom.file_at_once(published(slug=slug), *posts)


def _rebuild(url: str, events: int) -> Run:
    environ = os.environ | {"WRITETHRU_REDIS_URL": url}
    command: Sequence[str] = (sys.executable, "-m", "services.cli", "rebuild")
    began = time.monotonic()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        raise SystemExit(f"rebuild ended with {os.waitstatus_to_exitcode(status)}")
    return Run(events, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def table(found: Mapping[str, Rebuilds]) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield (
        "| rebuilt | events a second, nothing stored | over what is stored "
        "| µs of processors an event | MiB of the largest process |"
    )
    yield "|---|---:|---:|---:|---:|"
    for name, its in found.items():
        paces = " | ".join(f"{run.events / run.seconds:,.0f}" for run in (its.anew, its.over))
        cpu = its.anew.cpu / its.anew.events * 1e6
        memory = max(its.anew.mebibytes, its.over.mebibytes)
        yield f"| {name} | {paces} | {cpu:.0f} | {memory:.0f} |"


def failures(found: Mapping[str, Rebuilds]) -> list[str]:
    """Return what is not as claimed."""
    small, large, *_ = found.values()
    pace = large.anew.events / large.anew.seconds
    grown = large.over.mebibytes / small.over.mebibytes
    faults = {
        f"{pace:,.0f} events a second, and not {PACE:,}": pace < PACE,
        f"memory is {grown:.2f} times as much for four times as many events": grown > FLAT,
    }
    return [fault for fault, is_so in faults.items() if is_so]
