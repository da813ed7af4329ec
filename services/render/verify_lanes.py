"""Verifying what a lane's streams say of its articles, while others work on.

What was told must be whole: of each article, one interval of versions after the other, up to its
version. What was acknowledged must be rendered. Both are looked at again for two seconds before
they count as faults: they may be just being put right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.render.core.told import Acked, Outbox, Place
from services.render.verify import PAUSE_SECONDS, TRIES
from shared.article.stored import link_of
from shared.runtime.keys import RENDER_GROUP, Lane

ENTRIES_A_READ = 500
ARTICLES_A_READ = 500

Faults = list[tuple[str, str]]
Entries = list[tuple[bytes, dict[bytes, bytes]]]


async def verify_lane(redis: Redis, lane: Lane, slugs: Iterable[str]) -> Faults:
    """Return slugs of *lane*, and what its streams say wrongly of them; *slugs* are all there."""
    return [*await _outbox(redis, lane, set(slugs)), *await _acked(redis, lane)]


async def _outbox(redis: Redis, lane: Lane, slugs: set[str]) -> Faults:
    outbox, last, found = Outbox(), "-", Faults()
    for _ in range(TRIES):
        # The articles first: what they have is told of by then.
        versions = await _versions(redis, lane, slugs | outbox.slugs())
        last = await _hear(redis, lane, outbox, last)
        found = list(outbox.faults(versions, whole=await _is_whole(redis, lane)))
        if not found:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    return found


async def _hear(redis: Redis, lane: Lane, outbox: Outbox, last: str) -> str:
    """Read on from *last*; return where that ends."""
    while entries := await _entries(redis, lane.changes, last):
        for _, fields in entries:
            if b"from" in fields:
                end = Place(int(fields[b"to"]), fields[b"chain"].decode())
                outbox.hear(fields[b"article"].decode(), int(fields[b"from"]), end)
        last = f"({entries[-1][0].decode()}"
    return last


async def _entries(redis: Redis, stream: str, after: str, until: str = "+") -> Entries:
    found: Any = await redis.xrange(stream, after, until, ENTRIES_A_READ)
    return list(found)


async def _is_whole(redis: Redis, lane: Lane) -> bool:
    """Whether the outbox still has all that was ever put into it."""
    try:
        facts: Any = await redis.xinfo_stream(lane.changes)
    except ResponseError:  # there is none
        return True
    return bool(facts.get("entries-added") == facts["length"])


async def _versions(redis: Redis, lane: Lane, slugs: Iterable[str]) -> dict[str, Place]:
    wanted, found = sorted(slugs), dict[str, Place]()
    for start in range(0, len(wanted), ARTICLES_A_READ):
        some = wanted[start : start + ARTICLES_A_READ]
        async with redis.pipeline(transaction=False) as reads:
            for slug in some:
                reads.hmget(lane.article(slug).article, "version", "version_chain")
            answers = await reads.execute()
        for slug, (version, chain) in zip(some, answers, strict=True):
            found[slug] = Place(int(version or 0), (chain or b"").decode())
    return {slug: place for slug, place in found.items() if place.number}


async def _acked(redis: Redis, lane: Lane) -> Faults:
    acked = await read_acked(redis, lane)
    found: dict[str, Place] = {}
    for _ in range(TRIES):
        versions = await _versions(redis, lane, acked.furthest)
        found = acked.uncovered({slug: place.number for slug, place in versions.items()})
        if not found:
            break
        await asyncio.sleep(PAUSE_SECONDS)
    return [each async for each in _of_this_history(redis, lane, found)]


async def uncovered(redis: Redis, lane: Lane) -> Faults:
    """Return what is acknowledged in *lane* and not rendered at this very moment."""
    acked = await read_acked(redis, lane)
    versions = await _versions(redis, lane, acked.furthest)
    found = acked.uncovered({slug: place.number for slug, place in versions.items()})
    return [each async for each in _of_this_history(redis, lane, found)]


async def _of_this_history(redis: Redis, lane: Lane, found: dict[str, Place]) -> Any:
    """Yield faults; a wake-up of a history that was lost in a failover is nobody's loss."""
    for slug, place in found.items():
        record: Any = await redis.lindex(lane.article(slug).ledger, place.number - 1)
        if record and link_of(record).chain == place.chain:
            yield slug, f"events: the wake-up of event {place.number} is acked, and not covered"


async def read_acked(redis: Redis, lane: Lane) -> Acked:
    """Read which wake-ups were taken and are not pending any more, before anything else is."""
    acked = Acked()
    last = await _last_delivered(redis, lane)
    pending = await _pending(redis, lane) if last else set[bytes]()
    after = "-"
    while last and (entries := await _entries(redis, lane.events, after, last)):
        for slug, place in _wakeups(entries, pending):
            acked.hear(slug, place)
        after = f"({entries[-1][0].decode()}"
    return acked


def _wakeups(entries: Entries, pending: set[bytes]) -> Iterator[tuple[str, Place]]:
    for name, fields in entries:
        if name not in pending and fields.get(b"seq", b"").isdigit() and b"chain" in fields:
            place = Place(int(fields[b"seq"]), fields[b"chain"].decode())
            yield fields[b"article"].decode(), place


async def _last_delivered(redis: Redis, lane: Lane) -> str | None:
    """Return the last wake-up that the group was given; None if there is no group."""
    try:
        groups: Any = await redis.xinfo_groups(lane.events)
    except ResponseError:
        return None
    ours = [group for group in groups if group["name"] == RENDER_GROUP.encode()]
    return ours[0]["last-delivered-id"].decode() if ours else None


async def _pending(redis: Redis, lane: Lane) -> set[bytes]:
    pending: set[bytes] = set()
    after = "-"
    while True:
        found: Any = await redis.xpending_range(
            lane.events, RENDER_GROUP, after, "+", ENTRIES_A_READ
        )
        if not found:
            return pending
        pending |= {facts["message_id"] for facts in found}
        after = f"({found[-1]['message_id'].decode()}"
