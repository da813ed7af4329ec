"""Events that could not be folded: telling operators of them, and giving them back to others."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from redis.asyncio import Redis

from services.render.core.trust import Trust
from shared.article.article import Head
from shared.article.stored import load_head
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.metrics import count

log = structlog.get_logger()


async def told_of(redis: Redis, keys: ArticleKeys) -> tuple[int, ...]:
    """Return the events that the committed head has marked; none where it can't be read."""
    head = await redis.hget(keys.state, "head")
    try:
        return load_head(head.encode() if isinstance(head, str) else head or b"").quarantined
    except ValueError:
        return ()


def report(head: Head, told: Collection[int]) -> None:
    """Report those events that *head* has marked, but for those that were *told* of before."""
    for seq in head.quarantined:
        if seq not in told:
            log.error("event.quarantined", article=head.slug, seq=seq)
            count("writethru_events_quarantined_total")


async def give_back(redis: Redis, lane: Lane, trust: Trust) -> None:
    """Have the articles in which a distrusted fold has marked events folded anew by another.

    They are made to look as if an older fold had stored them, and are behind until it is done.
    """
    for slug in sorted(trust.suspects):
        seconds, micros = await redis.time()
        async with redis.pipeline(transaction=True) as step:
            step.hset(lane.article(slug).article, "rev", "0")
            step.zadd(lane.dirty, {slug: seconds * 1_000 + micros // 1_000}, nx=True)
            await step.execute()
        trust.suspects.discard(slug)
        log.warning("article.given_back", article=slug)
