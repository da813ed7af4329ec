"""What one more update costs when the article has few updates, and when it has many.

An update is filed and rendered alone, as in the life of a live article, by a renderer that
rendered the one before. Averages over fifty, the length of a page: how full the last page is
cancels out.
"""

from __future__ import annotations

import gc
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
#: After these the engine knows the scripts, and the interpreter has seen its ways.
WARM_UP = 20
#: A cost that grows by more than this from the smallest article to the largest is not flat.
FLAT = 1.2
#: What an update may cost, whatever there was before it, counted so that no machine is too slow for
#: it. A command more, or a name more in what is stored with each, is for whoever adds it to defend:
#: 15 are ingest's, who probes each key before the first write; 34 are render's, of which one reads
#: the ledger, seven look before they write, and the rest are the two scripts.
BUDGET = {"commands": 49.5, "bytes_in": 5_100, "bytes_out": 1_050, "bytes_logged": 5_350}

TEXT = (
    "Engineers have finished their inspection of the *northern* span, the harbour authority said, "
    "and the first of three lanes will open to traffic [before the evening rush](https://example.org)."
    "\n\nFerries keep to their extended timetable until Sunday."
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Averages of one more update, ingest's script and the renderer together.

    Times are medians: a machine does other things too. *cpu_ms* is the renderer's alone, *filed_ms*
    from before the update is filed until the page has it; *cold_ms* the same for a renderer that
    has seen nothing of the article.
    """

    commands: float
    bytes_in: float
    bytes_out: float
    bytes_logged: float
    cpu_ms: float = 0.0
    filed_ms: float = 0.0
    cold_ms: float = 0.0


#: What each figure is, and whether it has to be flat.
FIGURES = {
    "commands": "commands that the engine ran, those inside scripts included",
    "bytes_in": "bytes sent to the engine",
    "bytes_out": "bytes that it answered",
    "bytes_logged": "bytes that it wrote to its append-only file",
    "cpu_ms": "milliseconds of the renderer's processor",
    "filed_ms": "milliseconds from filed, fsynced, to the committed page",
    "cold_ms": "… by a renderer that begins with this article",
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
    for number in range(WARM_UP):
        await _one_more(newsroom, store, f"warm{number}")
    before = (*await _work(redis), *await _traffic(redis))
    gc.collect()  # what it took to file so many is no cost of the next
    times = [await _one_more(newsroom, store, f"more{number}") for number in range(UPDATES)]
    traffic = await _traffic(redis)
    after = (*await _work(redis), *traffic)
    cold = [
        await _one_more(newsroom, Store(redis, newsroom.lanes), f"cold{number}")
        for number in range(UPDATES // 5)
    ]
    commands, bytes_logged, bytes_in, bytes_out = (
        (late - early) / UPDATES for early, late in zip(before, after, strict=True)
    )
    cpu_ms, filed_ms = (statistics.median(each) * 1_000 for each in zip(*times, strict=True))
    cold_ms = statistics.median(seconds for _, seconds in cold) * 1_000
    return Cost(commands, bytes_in, bytes_out, bytes_logged, cpu_ms, filed_ms, cold_ms)


async def _one_more(newsroom: Newsroom, store: Store, name: str) -> tuple[float, float]:
    """File and render one update; return seconds: of the processor to render, and of the clock."""
    update = posted(name, TEXT)
    filed = time.monotonic()
    await newsroom.file(update)
    begun = time.process_time()
    await store.render(SLUG)
    return time.process_time() - begun, time.monotonic() - filed


async def _work(redis: Redis) -> tuple[int, int]:
    """Return the engine's own counts: commands, and bytes in its file."""
    info = await redis.info("everything")
    commands = sum(
        facts["calls"]
        for name, facts in info.items()
        if name.startswith("cmdstat_") and name != "cmdstat_info"
    )
    return commands, info["aof_current_size"]


async def _traffic(redis: Redis) -> tuple[int, int]:
    """Return how many bytes the engine has read and written.

    This answer itself is counted with what comes next; it is the same for every engine, as that of
    `_work` is not, which is the longer the more an engine has been asked.
    """
    info = await redis.info("stats")
    return info["total_net_input_bytes"], info["total_net_output_bytes"]


def growth(costs: Mapping[int, Cost]) -> dict[str, float]:
    """Return by how much each figure grows, at most, from the smallest article to a larger one."""
    small, *larger = (costs[size] for size in sorted(costs))
    return {
        name: max(getattr(cost, name) for cost in larger) / getattr(small, name) for name in FIGURES
    }


def beyond_budget(costs: Mapping[int, Cost]) -> dict[str, float]:
    """Return the figures that are beyond what an update may cost, at their largest."""
    largest = {name: max(getattr(cost, name) for cost in costs.values()) for name in BUDGET}
    return {name: figure for name, figure in largest.items() if figure > BUDGET[name]}


def failures(costs: Mapping[int, Cost]) -> Sequence[str]:
    """Say which figures are not flat."""
    return [
        *(
            f"one more update is not flat: {FIGURES[name]}: {grown:.2f} times as many"
            for name, grown in growth(costs).items()
            if grown > FLAT
        ),
        *(
            f"one more update costs too much: {FIGURES[name]}: {figure:,.1f}"
            for name, figure in beyond_budget(costs).items()
        ),
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
