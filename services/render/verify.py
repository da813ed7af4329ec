"""Comparing stored articles with what their ledgers give; the repair is the store's `rebuild`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from redis.asyncio import Redis

from services.render.core.audit import Kept, ledger_faults, redactions, state_faults
from services.render.core.filed import FIELDS, read_filed
from shared.article.article import Article, Head
from shared.article.fold import continued
from shared.article.stored import load_entry
from shared.contract.errors import Busy
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.lanes import Lanes

FIELDS_A_READ = 500
ENTRIES_A_READ = 200
#: An article may be just being rendered; one that is behind for two seconds is not.
TRIES = 20
PAUSE_SECONDS = 0.1


class Verified(NamedTuple):
    """What is not as the ledger gives it, and which of its events were redacted, in sentences."""

    differences: list[str]
    redacted: list[str]


async def every_article(redis: Redis, lanes: Lanes) -> AsyncIterator[str]:
    """Yield the slug of every article that has a ledger, in no order; one of them maybe twice."""
    async for key in redis.scan_iter(match=Lane("*").article("*").ledger, count=1_000):
        slug = key.decode().rpartition(":")[2]
        if key.decode() == lanes.of(slug).article(slug).ledger:
            yield slug


async def verify(redis: Redis, lanes: Lanes, key: bytes, slug: str) -> Verified:
    """Return every difference between what is stored of *slug* and what its ledger gives.

    *key* is the installation's. An article that is behind is given two seconds to catch up.

    Raises:
        Busy: it changes faster than it can be read.
    """
    keys = lanes.of(slug).article(slug)
    behind: Verified | None = None
    for _ in range(TRIES):
        kept = await _read(redis, keys)
        if kept is not None:
            behind = await _compare(redis, keys, key, kept)
            if kept.filed.version == kept.filed.seq:
                return behind
        await asyncio.sleep(PAUSE_SECONDS)
    if behind is None:
        raise Busy(f"The article {slug} changes faster than it can be read; try again.")
    return behind


async def _compare(redis: Redis, keys: ArticleKeys, key: bytes, kept: Kept) -> Verified:
    records: list[bytes] = []
    while more := await _records(redis, keys, len(records)):
        records += more
    # What was filed since is not in what was read of the rest.
    records = records[: kept.filed.seq or None]
    faults = list(ledger_faults(key, records, kept))
    redacted = await _redacted(redis, keys, records)
    try:
        article = await _folded(keys.slug, records[: kept.filed.version])
    except ValueError:
        return Verified([*faults, "ledger: it can't be folded"], redacted)
    return Verified([*faults, *state_faults(article, kept)], redacted)


async def _redacted(redis: Redis, keys: ArticleKeys, records: list[bytes]) -> list[str]:
    by = redactions(records)
    notes = [f"{keys.slug} {seq}" for seq in set(by.values())]
    open_: Any = await redis.smismember(keys.lane.redactions, notes) if notes else []
    pending = {note for note, is_open in zip(notes, open_, strict=True) if is_open}
    return [
        f"event {seq} is redacted, by event {redaction}"
        + ("; its text is still being destroyed" * (f"{keys.slug} {redaction}" in pending))
        for seq, redaction in by.items()
    ]


async def _folded(slug: str, records: list[bytes]) -> Article:
    """Fold *records* in portions, so that others have their turn between."""
    article = Article(Head(slug))
    for start in range(0, len(records), ENTRIES_A_READ):
        some = records[start : start + ENTRIES_A_READ]
        article = continued(article, [load_entry(record) for record in some])
        await asyncio.sleep(0)
    return article


async def _records(redis: Redis, keys: ArticleKeys, start: int) -> list[bytes]:
    records: Any = await redis.lrange(keys.ledger, start, start + ENTRIES_A_READ - 1)
    return list(records)


async def _read(redis: Redis, keys: ArticleKeys) -> Kept | None:
    """Read what is stored; None if the article moved on while it was read."""
    async with redis.pipeline(transaction=True) as step:
        step.hmget(keys.article, *FIELDS, "chain")
        step.hgetall(keys.seen)
        step.hgetall(keys.state)
        step.hkeys(keys.updates)
        step.hgetall(keys.pages)
        step.zrange(keys.changed, 0, -1, withscores=True)
        step.zrange(keys.noted, 0, -1, withscores=True)
        step.zrange(keys.key_events, 0, -1, withscores=True)
        step.zscore(keys.lane.latest, keys.slug)
        facts, seen, state, names, pages, *ranked, latest = await step.execute()
    updates = await _values(redis, keys.updates, names)
    now: Any = await redis.hmget(keys.article, *FIELDS, "chain")
    if now != facts:
        return None
    filed, chain = read_filed(facts[:-1]), (facts[-1] or b"").decode()
    changed, noted, key = map(dict, ranked)
    return Kept(filed, chain, seen, state, updates, pages, changed, noted, key, latest)


async def _values(redis: Redis, key: str, names: list[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for start in range(0, len(names), FIELDS_A_READ):
        some: Any = names[start : start + FIELDS_A_READ]
        values: Any = await redis.hmget(key, some)
        found.update((name, value) for name, value in zip(some, values, strict=True) if value)
    return found
