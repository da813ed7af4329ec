"""Which articles hold events that could not be folded."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from services.render.verify import every_article
from shared.article.stored import load_head
from shared.runtime.lanes import Lanes

ARTICLES_A_READ = 500


async def read_quarantined(redis: Redis, lanes: Lanes) -> dict[str, tuple[int, ...]]:
    """Return the seqs of such events by article; looks at every article."""
    found: dict[str, tuple[int, ...]] = {}
    some: list[str] = []
    async for slug in every_article(redis, lanes):
        some.append(slug)
        if len(some) == ARTICLES_A_READ:
            found |= await _read(redis, lanes, some)
            some = []
    return found | await _read(redis, lanes, some)


async def _read(redis: Redis, lanes: Lanes, slugs: list[str]) -> dict[str, tuple[int, ...]]:
    async with redis.pipeline(transaction=False) as asked:
        for slug in slugs:
            asked.hget(lanes.of(slug).article(slug).state, "head")
        heads: list[Any] = await asked.execute()
    marked = {slug: _marked(head) for slug, head in zip(slugs, heads, strict=True)}
    return {slug: seqs for slug, seqs in marked.items() if seqs}


def _marked(head: bytes | None) -> tuple[int, ...]:
    # Most heads have no such mark, and needn't be read for that.
    if head is None or b'"quarantined"' not in head:
        return ()
    try:
        return load_head(head).quarantined
    except ValueError:
        return ()
