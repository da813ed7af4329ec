"""How many events a renderer keeps up with, and how far behind it is on an article that is hot.

Events are filed over many articles while renderers stand still; then one or two are let go, and it
is measured how long they take and whose processor is used. What a renderer finds of one article it
commits at once. For the hot article one process files a thousand events a second; how long each
waited for its version is told by the engine's own clock, which is in the ledger and in the outbox.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from benchmarks.copy import MARKED, PROSE
from benchmarks.processes import used
from benchmarks.renderers import halted, processes, tell_all, until_rendered
from shared.article.stored import recorded_at
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import posted, published
from tests.integration.newsroom import Newsroom, open_newsroom

ARTICLES = 100
EVENTS_EACH = 40
LANES = 12
ROUNDS = 3
#: What a round is: how the updates read, and how many renderers there are.
RUNS = {
    "prose, one renderer": (PROSE, 1),
    "prose, two": (PROSE, 2),
    "links and emphasis, one": (MARKED, 1),
    "links and emphasis, two": (MARKED, 2),
}
HOT_EVENTS, HOT_A_SECOND = 4_000, 1_000
#: Events a second of one renderer, and milliseconds that a hot article may lag, nearly always.
PACE, LAG = 5_000, 100


@dataclass(frozen=True, slots=True)
class Pace:
    """Events a second, and microseconds of processors an event."""

    events: float
    render_us: float
    engine_us: float


@dataclass(frozen=True, slots=True)
class Hot:
    """An article that gets *filed* events a second: *commits* a second, milliseconds of lag."""

    filed: float
    commits: float
    p50: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class Rendered:
    paces: Mapping[str, Pace]
    hot: Hot
    start_seconds: float
    """From the start of a renderer's process until an article of 10,000 updates has one more."""


async def measure(folder: Path, tell: Callable[[str], None]) -> Rendered:
    with Engine(folder) as engine:
        async with connect(engine.url) as redis:
            newsroom = await open_newsroom(redis, LANES)
            found: dict[str, list[Pace]] = {name: [] for name in RUNS}
            for turn in range(ROUNDS + 1):  # the first is to warm up
                for place, (name, (text, many)) in enumerate(RUNS.items()):
                    prefix = f"r{turn}-{place}-"
                    pace = await _round(newsroom, engine, prefix, text, many)
                    tell(f"{name}: {pace.events:,.0f} events a second")
                    if turn:
                        found[name].append(pace)
            tell("an article that is hot")
            hot = await _hot(newsroom, engine)
            tell("an article of 10,000 updates, by a renderer that starts")
            start = await _start(newsroom, engine)
    paces = {name: _median(each) for name, each in found.items()}
    return Rendered(paces, hot, start)


async def _round(newsroom: Newsroom, engine: Engine, prefix: str, text: str, many: int) -> Pace:
    """Have *many* renderers that know the articles render events that were filed beforehand."""
    slugs = [f"{prefix}{number}" for number in range(ARTICLES)]
    async with halted(engine.url, many) as pids:
        await _file(newsroom, [published(slug=slug) for slug in slugs])
        tell_all(pids, signal.SIGCONT)
        await until_rendered(newsroom)
        tell_all(pids, signal.SIGSTOP)
        await _file(
            newsroom,
            [posted(f"u{n}", text, slug=slug) for n in range(EVENTS_EACH) for slug in slugs],
        )
        before = used(pids), used([engine.pid])
        began = time.monotonic()
        tell_all(pids, signal.SIGCONT)
        await until_rendered(newsroom)
        seconds = time.monotonic() - began
        events = ARTICLES * EVENTS_EACH
        render, its = used(pids) - before[0], used([engine.pid]) - before[1]
    return Pace(events / seconds, render / events * 1e6, its / events * 1e6)


async def _file(newsroom: Newsroom, events: Sequence[Any]) -> None:
    for start in range(0, len(events), 50):
        await asyncio.gather(*map(newsroom.file, events[start : start + 50]))


async def _hot(newsroom: Newsroom, engine: Engine) -> Hot:
    slug = "hot"
    with processes(engine.url, 1):
        await newsroom.file(published(slug=slug))
        await until_rendered(newsroom)
        environ = os.environ | {"HOT_URL": engine.url}
        command = [sys.executable, "-m", "benchmarks.render"]
        feeder = await asyncio.to_thread(subprocess.run, command, env=environ, check=True)
        assert feeder.returncode == 0
        await until_rendered(newsroom)
    return await _lag(newsroom.redis, newsroom, slug)


async def _feed(url: str) -> None:
    """File events of the hot article as evenly as the clock allows."""
    async with connect(url) as redis:
        newsroom = await open_newsroom(redis, LANES)
        began = time.monotonic()
        for number in range(HOT_EVENTS):
            await asyncio.sleep(max(0.0, began + number / HOT_A_SECOND - time.monotonic()))
            await newsroom.file(posted(f"u{number}", PROSE, slug="hot"))


async def _lag(redis: Redis, newsroom: Newsroom, slug: str) -> Hot:
    keys = newsroom.keys(slug)
    records: Any = await redis.lrange(keys.ledger, 1, -1)
    filed = [recorded_at(record) or 0 for record in records]
    outbox: Any = await redis.xrange(keys.lane.changes)
    told = [
        (int(entry[b"to"]), int(entry_id.partition(b"-")[0]))
        for entry_id, entry in outbox
        if entry[b"article"] == slug.encode()
    ]
    ends = [to for to, _ in told]
    waits = sorted(told[bisect_left(ends, seq)][1] - at for seq, at in enumerate(filed, start=2))
    seconds = (filed[-1] - filed[0]) / 1e3
    return Hot(
        len(filed) / seconds,
        (len(told) - 1) / seconds,
        statistics.median(waits),
        waits[len(waits) * 99 // 100],
        waits[-1],
    )


async def _start(newsroom: Newsroom, engine: Engine) -> float:
    """Return how long a process takes from its start to a commit on a long article."""
    slug = "long"
    posts = (posted(f"u{number}", PROSE, slug=slug) for number in range(10_000))
    await newsroom.file_at_once(published(slug=slug), *posts)
    with processes(engine.url, 1):
        await newsroom.file(posted("first", slug=slug))
        await until_rendered(newsroom)
    await newsroom.file(posted("next", slug=slug))
    began = time.monotonic()
    with processes(engine.url, 1):
        await until_rendered(newsroom)
        return time.monotonic() - began


def _median(paces: Sequence[Pace]) -> Pace:
    names = ("events", "render_us", "engine_us")
    return Pace(*(statistics.median(getattr(pace, name) for pace in paces) for name in names))


def table(found: Rendered) -> Iterator[str]:
    """Yield the figures as tables in Markdown."""
    yield (
        "| events waiting, over 100 articles | events a second | against one "
        "| renderers' µs an event | engine's µs |"
    )
    yield "|---|---:|---:|---:|---:|"
    one = 0.0
    for name, pace in found.paces.items():
        one = pace.events if "one" in name else one
        yield (
            f"| {name} | {pace.events:,.0f} | {pace.events / one:.2f} × | "
            f"{pace.render_us:.0f} | {pace.engine_us:.0f} |"
        )
    hot = found.hot
    yield ""
    yield "| one article, hot | |"
    yield "|---|---:|"
    yield f"| events filed a second | {hot.filed:,.0f} |"
    yield f"| commits a second | {hot.commits:,.0f} |"
    yield (
        "| milliseconds from filed to the committed version, p50 / p99 / worst | "
        f"{hot.p50:.0f} / {hot.p99:.0f} / {hot.worst:.0f} |"
    )
    yield (
        "| seconds from the start of a renderer to one more update, of 10,000 | "
        f"{found.start_seconds:.2f} |"
    )


def failures(found: Rendered) -> list[str]:
    """Return what is not as claimed."""
    pace, lag = found.paces["prose, one renderer"].events, found.hot.p99
    faults = {
        f"one renderer: {pace:,.0f} events a second, and not {PACE:,}": pace < PACE,
        f"a hot article lags {lag:.0f} ms": lag > LAG,
        f"a renderer takes {found.start_seconds:.2f} s to begin": found.start_seconds > 1,
    }
    return [fault for fault, is_so in faults.items() if is_so]


if __name__ == "__main__":
    asyncio.run(_feed(os.environ["HOT_URL"]))
