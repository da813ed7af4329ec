"""`writethru verify`: what is stored against what the ledgers give."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from services.cli.failure import Failure
from services.cli.stored import DataDir, RedisUrl, Slugs, articles, installation, verified
from services.cli.telling import counted
from services.render.verify_lanes import verify_lane
from shared.runtime.installation import Installation


def command(slugs: Slugs = None, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Recompute every article from its ledger, and compare with what is stored.

    Looked at are the ledger (numbers without a gap, each event once, the chain), the page's state
    (the fold of the ledger), and, unless articles are named, what was told of each article (one
    interval of versions after the other) and what was acknowledged (nothing that is not rendered).
    Who is behind must be known to be. What is held must be there.

    Prints a line for each difference, and exits with 1 if there is one. An event whose text was
    redacted has a line as well, and is no difference. It may run while the stack does.
    """
    asyncio.run(_verify(slugs or [], redis_url, data_dir))


async def _verify(slugs: Sequence[str], redis_url: str | None, data_dir: Path | None) -> None:
    damaged = set[str]()
    async with installation(redis_url, data_dir) as (redis, here):
        chosen = await articles(redis, here.lanes, slugs)
        for slug in chosen:
            found = await verified(redis, here, slug)
            for line in (*found.redacted, *found.differences):
                print(f"{slug}: {line}", flush=True)
            damaged |= {slug} if found.differences else set()
        if not slugs:
            damaged |= await _verify_lanes(redis, here, chosen)
    if damaged:
        raise Failure(
            f"{len(damaged)} of {counted(len(chosen), 'article')} not as the ledger gives it; "
            "writethru rebuild replaces what is stored"
        )
    print(f"{counted(len(chosen), 'article')} checked: all as the ledgers give them")


async def _verify_lanes(redis: Redis, here: Installation, slugs: Sequence[str]) -> set[str]:
    """Look at every lane's streams; return the articles that they are wrong about."""
    damaged = set[str]()
    for lane in here.lanes:
        its = [slug for slug in slugs if here.lanes.of(slug) == lane]
        for slug, fault in await verify_lane(redis, lane, its):
            print(f"{slug}: {fault}", flush=True)
            damaged.add(slug)
    return damaged
