"""Telling operators of events that could not be folded: the one trace that such an event leaves."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from redis.asyncio import Redis

from shared.article.article import Head
from shared.article.stored import load_head
from shared.runtime.keys import ArticleKeys
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
