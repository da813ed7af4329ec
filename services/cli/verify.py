"""`writethru verify`: what is stored against what the ledgers give."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from services.cli.failure import Failure
from services.cli.stored import DataDir, RedisUrl, Slugs, articles, installation, verified
from services.cli.telling import counted


def command(slugs: Slugs = None, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Recompute every article from its ledger, and compare with what is stored.

    Prints a line for each difference, and exits with 1 if there is one. An event whose text was
    redacted has a line as well, and is no difference. It may run while the stack does.
    """
    asyncio.run(_verify(slugs or [], redis_url, data_dir))


async def _verify(slugs: Sequence[str], redis_url: str | None, data_dir: Path | None) -> None:
    damaged = 0
    async with installation(redis_url, data_dir) as (redis, here):
        chosen = await articles(redis, here.lanes, slugs)
        for slug in chosen:
            found = await verified(redis, here, slug)
            for line in (*found.redacted, *found.differences):
                print(f"{slug}: {line}", flush=True)
            damaged += bool(found.differences)
    if damaged:
        raise Failure(
            f"{damaged} of {counted(len(chosen), 'article')} not as the ledger gives it; "
            "writethru rebuild replaces what is stored"
        )
    print(f"{counted(len(chosen), 'article')} checked: all as the ledgers give them")
