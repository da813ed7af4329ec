"""What a second, a third and a fourth renderer bring, on one engine and on a cluster of three.

All work is filed while the renderers stand still, one event an article, so each is a commit of
its own; then they are let go, and it is measured how long it takes and whose processor is used.
Numbers of renderers take turns, so that what else the machine does hits all alike.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from benchmarks.processes import used
from shared.runtime.backlog import read_behind
from shared.runtime.engine import Engine
from shared.runtime.redis import connect, primaries
from tests.builders import posted, published
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.nodes import cluster
from tests.waiting import until

RENDERERS = (1, 2, 4)
ROUNDS = 3
ARTICLES = 400
#: Filing must be quick: what a halted renderer is handed it takes for lost after five seconds.
AT_ONCE = 50
LANES = 12
LIMIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Commits a second, and milliseconds of a processor a commit."""

    commits: float
    render_ms: float
    engine_ms: float


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[str, Mapping[int, Pace]]:
    """Return the paces on one engine and on a cluster, by the number of renderers."""
    (folder / "one").mkdir()
    with Engine(folder / "one") as engine:
        one = await _on(engine.url, [engine.pid], "one engine", tell)
    with cluster(folder / "many") as nodes:
        pids = [node.process.pid for node in nodes.nodes if node.process]
        many = await _on(nodes.url, pids, "three primaries and their replicas", tell)
    return {"one engine": one, "cluster": many}


async def _on(
    url: str, engines: Sequence[int], what: str, tell: Callable[[str], None]
) -> Mapping[int, Pace]:
    async with connect(url) as redis:
        for primary in await primaries(redis):
            await primary.flushall()
        newsroom = await open_newsroom(redis, LANES)
        found: dict[int, list[Pace]] = {many: [] for many in RENDERERS}
        for turn in range(ROUNDS + 1):  # the first is to warm up
            for many in RENDERERS:
                async with halted(url, many) as pids:
                    pace = await _round(newsroom, f"r{turn}-{many}", pids, engines)
                tell(f"{what}, {many} renderers: {pace.commits:.0f} commits a second")
                if turn:
                    found[many].append(pace)
    return {many: _median(paces) for many, paces in found.items()}


async def _round(
    newsroom: Newsroom, name: str, renderers: Sequence[int], engines: Sequence[int]
) -> Pace:
    """File articles and an update for each, and have it all rendered."""
    slugs = [f"{name}-{number}" for number in range(ARTICLES)]
    commits = 0
    seconds = render = engine = 0.0
    for event in (published, lambda slug: posted("u1", "The tide has turned.", slug=slug)):
        for start in range(0, ARTICLES, AT_ONCE):
            some = slugs[start : start + AT_ONCE]
            await asyncio.gather(*(newsroom.file(event(slug=slug)) for slug in some))
        before = used(renderers), used(engines)
        began = time.monotonic()
        tell_all(renderers, signal.SIGCONT)
        await until_rendered(newsroom)
        seconds += time.monotonic() - began
        tell_all(renderers, signal.SIGSTOP)
        render += used(renderers) - before[0]
        engine += used(engines) - before[1]
        commits += len(slugs)
    return Pace(commits / seconds, render / commits * 1e3, engine / commits * 1e3)


async def until_rendered(newsroom: Newsroom) -> None:
    """Wait until no article is behind."""

    async def is_rendered() -> bool:
        return not sum(lane.many for lane in await read_behind(newsroom.redis, newsroom.lanes))

    await until(is_rendered, LIMIT_SECONDS)


@asynccontextmanager
async def halted(url: str, many: int) -> AsyncIterator[list[int]]:
    """Start renderers, let them come to the lanes, and halt them."""
    with processes(url, many) as pids:
        async with connect(url) as redis:
            newsroom = await open_newsroom(redis, LANES)
            await newsroom.file(published(slug=f"first-{pids[0]}"))
            await until_rendered(newsroom)
            await _until_all_read(redis, newsroom, pids)
        tell_all(pids, signal.SIGSTOP)
        yield pids


async def _until_all_read(redis: Redis, newsroom: Newsroom, pids: Sequence[int]) -> None:
    """Wait until each of *pids* has asked every lane for work."""

    async def have_all_read() -> bool:
        readers = [await _readers(redis, lane.events) for lane in newsroom.lanes]
        return all(set(pids) <= each for each in readers)

    await until(have_all_read, LIMIT_SECONDS)


async def _readers(redis: Redis, stream: str) -> set[int]:
    found = await redis.xinfo_consumers(stream, "render")
    return {int(each["name"].rpartition(b"-")[2]) for each in found}


@contextmanager
def processes(url: str, many: int) -> Iterator[list[int]]:
    """Run renderers; yield their pids."""
    environ = os.environ | {"WRITETHRU_REDIS_URL": url, "WRITETHRU_LOG_LEVEL": "error"}
    command = [sys.executable, "-m", "services.render"]
    started = [subprocess.Popen(command, env=environ) for _ in range(many)]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def tell_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to each of *pids*."""
    for pid in pids:
        os.kill(pid, number)


def _median(paces: Sequence[Pace]) -> Pace:
    return Pace(
        *(
            statistics.median(getattr(pace, name) for pace in paces)
            for name in ("commits", "render_ms", "engine_ms")
        )
    )


def table(paces: Mapping[str, Mapping[int, Pace]]) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield "| renderers | commits a second | against one | renderer's ms a commit | engine's ms |"
    yield "|---|---:|---:|---:|---:|"
    for where, by_number in paces.items():
        for many, pace in by_number.items():
            gain = pace.commits / by_number[1].commits
            yield (
                f"| {many}, {where} | {pace.commits:,.0f} | {gain:.2f} × | "
                f"{pace.render_ms:.2f} | {pace.engine_ms:.2f} |"
            )
