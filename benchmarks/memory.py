"""What an event costs the engine's memory, by key, once it is rendered and its streams are trimmed.

Events of live articles: an opening and a hundred updates each, with what a newsroom files beside
the text: when, by whom, under which headline, from which source. Trimmed means that a day has gone
by: wake-ups and outbox are gone, and what is left is the ledger and what readers are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis

from benchmarks.copy import PROSE
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import posted, published
from tests.integration.newsroom import open_newsroom

ARTICLES = 40
UPDATES = 100
#: An event may take so many times its own bytes.
TIMES = 4.0
FACTS: Mapping[str, Any] = {
    "at": "2026-03-01T09:00:00Z",
    "headline": "Outer basin closed as the eastern pier moves",
    "authors": ["Ada Quayle"],
    "sources": [
        {
            "n": 8,
            "url": "https://example.org/harbour/notices/2026-03-01",
            "title": "Notice to mariners: survey of the eastern pier",
        }
    ],
}
HELD = {
    "ledger": "the ledger: the event, its place and fingerprint",
    "seen": "ids that are known, with place and fingerprint",
    "posted": "updates, as filed",
    "updates": "updates, as rendered: text, HTML and names",
    "pages": "pages: the names of their updates",
    "changed": "when each update changed last",
    "article": "facts of the article",
    "state": "its head",
}


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes an event: its *payload*, by key, and what the engine uses more, before and after."""

    payload: float
    by_key: Mapping[str, float]
    untrimmed: float
    trimmed: float


async def measure(folder: Path, tell: Callable[[str], None]) -> Memory:
    with Engine(folder) as engine:
        async with connect(engine.url) as redis:
            return await _measure(redis, tell)


async def _measure(redis: Redis, tell: Callable[[str], None]) -> Memory:
    newsroom = await open_newsroom(redis, 1)
    store = Store(redis, newsroom.lanes)
    before = await _used(redis)
    sizes: list[int] = []
    tell(f"filing and rendering {ARTICLES * (UPDATES + 1):,} events")
    slugs = [f"story-{number}" for number in range(ARTICLES)]
    for slug in slugs:
        events = [
            published(slug=slug),
            *(posted(f"u{n}", PROSE, slug=slug, **FACTS) for n in range(UPDATES)),
        ]
        for event in events:
            await newsroom.file(event)
            await store.render(slug)
        sizes += [len(orjson.dumps(event)) for event in events]
    many, [lane] = len(sizes), newsroom.lanes
    untrimmed = await _used(redis) - before
    await redis.xtrim(lane.events, maxlen=0, approximate=False)
    await redis.xtrim(lane.changes, maxlen=0, approximate=False)
    trimmed = await _used(redis) - before
    by_key = {
        name: sum([await _usage(redis, getattr(newsroom.keys(slug), name)) for slug in slugs])
        / many
        for name in HELD
    }
    return Memory(sum(sizes) / many, by_key, untrimmed / many, trimmed / many)


async def _used(redis: Redis) -> int:
    await redis.memory_purge()
    info: Any = await redis.info("memory")
    return int(info["used_memory_dataset"])


async def _usage(redis: Redis, key: str) -> int:
    return int(await redis.memory_usage(key, samples=0) or 0)


def table(found: Memory) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield "| of the engine's memory, an event | bytes | × its own |"
    yield "|---|---:|---:|"
    rows = [
        ("the event itself, as filed", found.payload),
        *((HELD[name], size) for name, size in found.by_key.items()),
        ("all, after a day: streams are trimmed", found.trimmed),
        ("all, within a day", found.untrimmed),
    ]
    for name, size in rows:
        yield f"| {name} | {size:,.0f} | {size / found.payload:.2f} |"


def failures(found: Memory) -> list[str]:
    """Return what is not as claimed."""
    times = found.trimmed / found.payload
    return [f"an event takes {times:.2f} times its bytes"] if times > TIMES else []
