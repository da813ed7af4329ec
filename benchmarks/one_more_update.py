"""What one more update costs when the article has few updates, and when it has many.

An update is filed and rendered alone, as in the life of a live article, by a renderer that
rendered the one before. Averages over fifty, the length of a page: how full the last page is
cancels out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom

SIZES = (10, 1_000, 10_000)
UPDATES = 50
#: A cost that grows by more than this from the smallest article to the largest is not flat.
FLAT = 1.5

TEXT = (
    "Engineers have finished their inspection of the *northern* span, the harbour authority said, "
    "and the first of three lanes will open to traffic [before the evening rush](https://example.org)."
    "\n\nFerries keep to their extended timetable until Sunday."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Averages of one more update, ingest's script and the renderer together.

    *cpu_ms* is the renderer's alone, and a median: a machine does other things too.
    """

    commands: float
    bytes_in: float
    bytes_out: float
    bytes_logged: float
    cpu_ms: float


#: What each figure is, and whether it has to be flat.
FIGURES = {
    "commands": "commands that the engine ran, those inside scripts included",
    "bytes_in": "bytes sent to the engine",
    "bytes_out": "bytes that it answered",
    "bytes_logged": "bytes that it wrote to its append-only file",
    "cpu_ms": "milliseconds of the renderer's processor",
}


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[int, Cost]:
    """Cost one more update at each size, on an engine of its own in *folder*."""
    with Engine(folder) as engine:
        async with connect(engine.url) as redis:
            return {size: await measure_at(redis, size, tell) for size in SIZES}


async def measure_at(redis: Redis, size: int, tell: Callable[[str], None]) -> Cost:
    """Grow an article to *size* updates on an engine that is emptied first; cost the next fifty."""
    await redis.flushall()
    newsroom = await open_newsroom(redis)
    store = Store(redis, newsroom.lanes)
    tell(f"an article of {size:,} updates: filing and rendering it")
    await newsroom.file_at_once(
        published(), *(posted(f"u{number}", TEXT) for number in range(size))
    )
    await store.render(SLUG)
    tell(f"an article of {size:,} updates: {UPDATES} more, one at a time")
    before = await _counters(redis)
    seconds = [await _one_more(newsroom, store, number) for number in range(UPDATES)]
    after = await _counters(redis)
    commands, bytes_in, bytes_out, bytes_logged = (
        (late - early) / UPDATES for early, late in zip(before, after, strict=True)
    )
    cpu_ms = statistics.median(seconds) * 1_000
    return Cost(commands, bytes_in, bytes_out, bytes_logged, cpu_ms)


async def _one_more(newsroom: Newsroom, store: Store, number: int) -> float:
    """File and render one update; return the seconds of processor that rendering took."""
    await newsroom.file(posted(f"more{number}", TEXT))
    begun = time.process_time()
    await store.render(SLUG)
    return time.process_time() - begun


async def _counters(redis: Redis) -> tuple[int, int, int, int]:
    """Return the engine's own counts: commands, bytes in, bytes out, bytes in its file."""
    info = await redis.info("everything")
    commands = sum(
        facts["calls"]
        for name, facts in info.items()
        if name.startswith("cmdstat_") and name != "cmdstat_info"
    )
    return (
        commands,
        info["total_net_input_bytes"],
        info["total_net_output_bytes"],
        info["aof_current_size"],
    )


def growth(costs: Mapping[int, Cost]) -> dict[str, float]:
    """Return by how much each figure grows, at most, from the smallest article to a larger one."""
    small, *larger = (costs[size] for size in sorted(costs))
    return {
        name: max(getattr(cost, name) for cost in larger) / getattr(small, name) for name in FIGURES
    }


def failures(costs: Mapping[int, Cost]) -> Sequence[str]:
    """Say which figures are not flat."""
    return [
        f"one more update is not flat: {FIGURES[name]}: {grown:.2f} times as many"
        for name, grown in growth(costs).items()
        if grown > FLAT
    ]


def table(costs: Mapping[int, Cost]) -> Iterator[str]:
    """Yield the lines of a Markdown table: a figure a row, a size a column."""
    yield "| one more update | " + " | ".join(f"at {size:,}" for size in costs) + " | growth |"
    yield "|---|" + "---:|" * (len(costs) + 1)
    for name, grown in growth(costs).items():
        row = " | ".join(_number(getattr(cost, name)) for cost in costs.values())
        yield f"| {FIGURES[name]} | {row} | {grown:.2f} × |"


def _number(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
