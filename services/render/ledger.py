"""What the engine holds of an article as it was filed: how far it is, and its ledger, in rounds."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from services.render.core.filed import FIELDS, Filed, read_filed
from shared.runtime.keys import ArticleKeys

#: Entries folded at once: other articles wait that long, and a commit stays small.
ENTRIES_A_ROUND = 200


async def look(redis: Redis, keys: ArticleKeys, version: int) -> tuple[Filed, list[bytes]]:
    """Read what is filed and a round of entries beyond *version*, in one go."""
    async with redis.pipeline(transaction=False) as both:
        both.hmget(keys.article, FIELDS)
        both.lrange(keys.ledger, version, version + ENTRIES_A_ROUND - 1)
        facts, records = await both.execute()
    return read_filed(facts), records


async def filed_of(redis: Redis, keys: ArticleKeys) -> Filed:
    """Read how far the article is."""
    facts: Any = await redis.hmget(keys.article, FIELDS)
    return read_filed(facts)


async def records_of(redis: Redis, keys: ArticleKeys, version: int) -> list[bytes]:
    """Read a round of entries beyond *version*."""
    records: Any = await redis.lrange(keys.ledger, version, version + ENTRIES_A_ROUND - 1)
    return list(records)
