"""`writethru rebuild`: puts in place of what is stored what the ledgers give, on all cores."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from redis.asyncio import Redis

from services.cli.failure import Failure
from services.cli.progress import progress
from services.cli.rebuild_portion import Rebuilt, begin, rebuild, rebuild_at
from services.cli.stored import (
    DataDir,
    RedisUrl,
    Slugs,
    articles,
    engine_url,
    existing,
    opened,
)
from services.cli.telling import counted
from shared.runtime import log
from shared.runtime.installation import Installation
from shared.runtime.lanes import Lanes

#: What a process takes at once: the bar moves by it, and at the end the others wait for it.
EVENTS_A_PORTION = 2_000
#: Fewer are done before another process has begun.
EVENTS_ALONE = 10_000
ARTICLES_A_READ = 500


def command(slugs: Slugs = None, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Fold every article from its ledger, and replace what is stored.

    It may run while the stack does: readers get the old state or the new one, nothing between.
    Articles are shared out among as many processes as the machine has processors.
    Exits with 1 if an article differs from its ledger even then.
    """
    log.configure("rebuild", "warning")
    with engine_url(redis_url, data_dir) as url:
        asyncio.run(_rebuild(url, slugs or []))


async def _rebuild(url: str, slugs: Sequence[str]) -> None:
    beyond_repair = 0
    async with opened(url) as redis:
        here = await existing(redis)
        events = await _events(redis, here.lanes, await articles(redis, here.lanes, slugs))
        with progress("rebuilding", sum(events.values()), shown=not os.isatty(1)) as advance:
            async for some in _rebuilt(redis, here, url, events):
                for each in some:
                    _tell(each)
                    beyond_repair += bool(each.left)
                advance(sum(events[each.slug] for each in some))
    if beyond_repair:
        raise Failure(
            f"{beyond_repair} of {counted(len(events), 'ledger')} damaged beyond a rebuild; "
            "restore the engine's data from a backup"
        )
    print(f"{counted(len(events), 'article')} rebuilt")


def _tell(rebuilt: Rebuilt) -> None:
    if rebuilt.mended > 0:
        print(f"{rebuilt.slug}: {counted(rebuilt.mended, 'difference')} mended", flush=True)
    for difference in rebuilt.left:
        print(f"{rebuilt.slug}: {difference}", flush=True)


async def _events(redis: Redis, lanes: Lanes, slugs: Sequence[str]) -> dict[str, int]:
    """Return how many events each of *slugs* has, those with most first."""
    events: dict[str, int] = {}
    for start in range(0, len(slugs), ARTICLES_A_READ):
        some = slugs[start : start + ARTICLES_A_READ]
        async with redis.pipeline(transaction=False) as asked:
            for slug in some:
                asked.hget(lanes.of(slug).article(slug).article, "seq")
            events.update(zip(some, map(int, await asked.execute()), strict=True))
    return dict(sorted(events.items(), key=lambda item: item[1], reverse=True))


async def _rebuilt(
    redis: Redis, here: Installation, url: str, events: Mapping[str, int]
) -> AsyncIterator[list[Rebuilt]]:
    """Rebuild all articles of *events*, in other processes if there is enough to do."""
    many = min(os.cpu_count() or 1, len(events))
    if many < 2 or sum(events.values()) < EVENTS_ALONE:
        for slugs in _portions(events):
            yield await rebuild(redis, here, slugs)
        return
    loop = asyncio.get_running_loop()
    # Spawned, for a fork would have this one's connections.
    pool = ProcessPoolExecutor(many, get_context("spawn"), begin)
    try:
        parts = _portions(events)
        doing = [loop.run_in_executor(pool, rebuild_at, url, slugs) for slugs in parts]
        for done in asyncio.as_completed(doing):
            yield await done
    except BrokenProcessPool:
        raise Failure("a process ended early; is there enough memory? Run it again") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _portions(events: Mapping[str, int]) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for slug, many in events.items():
        some.append(slug)
        size += many
        if size >= EVENTS_A_PORTION:
            yield some
            some, size = [], 0
    if some:
        yield some
