"""Comparing stored articles with what their ledgers give; the repair is the store's `rebuild`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, NamedTuple

from redis.asyncio import Redis

from services.render.core.audit import (
    Kept,
    expected_of,
    held_faults,
    ledger_faults,
    redactions,
    state_faults,
)
from services.render.core.filed import FIELDS, read_filed
from shared.article.article import Article, Head
from shared.article.fold import continued
from shared.article.stored import load_entry
from shared.contract.errors import Busy
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.shelf import Shelves

FIELDS_A_READ = 500
ENTRIES_A_READ = 200
#: An article may be just being rendered; one that is behind for two seconds is not.
TRIES = 20
PAUSE_SECONDS = 0.1
#: The field of the state that names the archive's file with the rest.
ARCHIVED = b"archived"


class Verified(NamedTuple):
    """What is not as the ledger gives it, and which of its events were redacted, in sentences."""

    differences: list[str]
    redacted: list[str]


async def every_article(redis: Redis, lanes: Lanes) -> AsyncIterator[str]:
    """Yield the slug of every article with an event in its ledger, wherever that is.

    In no order; one of them maybe twice.
    """
    async for key in redis.scan_iter(match=Lane("*").article("*").article, count=1_000):
        slug = key.decode().rpartition(":")[2]
        its = lanes.of(slug).article(slug)
        if key.decode() == its.article and await redis.hget(its.article, "seq"):
            yield slug


async def verify(
    redis: Redis, lanes: Lanes, key: bytes, slug: str, shelves: Shelves | None = None
) -> Verified:
    """Return every difference between what is stored of *slug* and what its ledger gives.

    *key* is the installation's, *shelves* where archived articles are. An article that is behind
    is given two seconds to catch up.

    Raises:
        Busy: it changes faster than it can be read.
    """
    keys = lanes.of(slug).article(slug)
    behind: Verified | None = None
    for _ in range(TRIES):
        kept = await read_kept(redis, keys)
        if kept is not None and ARCHIVED in kept.state:
            return await _verify_archived(redis, keys, key, kept, shelves or Shelves(None))
        if kept is not None:
            found = await compare(redis, keys, key, kept, await read_records(redis, keys))
            behind = Verified([*found.differences, *await beside(redis, keys)], found.redacted)
            if kept.filed.version == kept.filed.seq:
                return behind
        await asyncio.sleep(PAUSE_SECONDS)
    if behind is None:
        raise Busy(f"The article {slug} changes faster than it can be read; try again.")
    return behind


async def beside(redis: Redis, keys: ArticleKeys) -> list[str]:
    """Return what is wrong with what stands for the article in its lane, and with what is held."""
    async with redis.pipeline(transaction=True) as step:
        step.hmget(keys.article, "seq", "version")
        step.zscore(keys.lane.dirty, keys.slug)
        step.hgetall(keys.seen)
        step.hkeys(keys.holds)
        step.zscore(keys.lane.held, keys.slug)
        (seq, version), dirty, seen, holds, due = await step.execute()
    found = list(held_faults(seen, holds, due))
    if int(version or 0) < int(seq or 0) and dirty is None:
        found.append("dirty: it is behind, and nobody would look")
    return found


async def _verify_archived(
    redis: Redis, keys: ArticleKeys, key: bytes, kept: Kept, shelves: Shelves
) -> Verified:
    """Compare the archive's file with its own ledger, and with what has stayed in the engine."""
    try:
        contents = await shelves.contents(kept.state[ARCHIVED].decode())
    except Busy:
        return Verified(["archive: its file can't be read, see the log"], [])
    stays = {name: value for name, value in kept.state.items() if name != ARCHIVED}
    strays = [
        f"{name}: the archive has it"
        for name in ("updates", "pages", "changed", "noted", "key_events")
        if getattr(kept, name)
    ]
    there: dict[str, Any] = {**contents.held.hashes, **contents.held.sets, "state": stays}
    found = await compare(redis, keys, key, replace(kept, **there), list(contents.records))
    return Verified([*strays, *found.differences], found.redacted)


async def compare(
    redis: Redis, keys: ArticleKeys, key: bytes, kept: Kept, records: list[bytes]
) -> Verified:
    """Return where *kept* is not what *records*, its ledger, give."""
    # What was filed since is not in what was read of the rest.
    records = records[: kept.filed.seq or None]
    faults = list(ledger_faults(key, records, kept))
    redacted = await _redacted(redis, keys, records)
    try:
        article = await _folded(keys.slug, records[: kept.filed.version])
    except ValueError:
        return Verified([*faults, "ledger: it can't be folded"], redacted)
    return Verified([*faults, *state_faults(expected_of(article), kept)], redacted)


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


async def read_records(redis: Redis, keys: ArticleKeys) -> list[bytes]:
    """Return the ledger that is in the engine."""
    records: list[bytes] = []
    while True:
        start = len(records)
        more: Any = await redis.lrange(keys.ledger, start, start + ENTRIES_A_READ - 1)
        if not more:
            return records
        records += more


async def read_kept(redis: Redis, keys: ArticleKeys) -> Kept | None:
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
