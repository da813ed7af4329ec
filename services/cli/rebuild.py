"""`writethru rebuild`: puts in place of what is stored what the ledgers give."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from redis.asyncio import Redis

from services.cli.failure import Failure
from services.cli.options import settings
from services.cli.stored import DataDir, RedisUrl, Slugs, articles, installation, verified
from services.cli.telling import counted
from services.render.core.filed import LedgerError
from services.render.core.trust import DistrustedError
from services.render.store import Store
from shared.runtime import log
from shared.runtime.archive import ArchiveError
from shared.runtime.installation import Installation
from shared.runtime.restore import Restorer


def command(slugs: Slugs = None, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Fold every article from its ledger, and replace what is stored.

    It may run while the stack does: readers get the old state or the new one, nothing between.
    Exits with 1 if an article differs from its ledger even then.
    """
    log.configure("rebuild", "warning")
    asyncio.run(_rebuild(slugs or [], redis_url, data_dir))


async def _rebuild(slugs: Sequence[str], redis_url: str | None, data_dir: Path | None) -> None:
    beyond_repair = 0
    async with installation(redis_url, data_dir) as (redis, here):
        chosen = await articles(redis, here.lanes, slugs)
        archive = settings().archive
        store = Store(redis, here.lanes, warm=1, archive=archive)
        restorer = Restorer(redis, archive)
        for slug in chosen:
            await _bring_back(restorer, here, slug)
            left = await _replace(redis, here, store, slug)
            for difference in left:
                print(f"{slug}: {difference}", flush=True)
            beyond_repair += bool(left)
    if beyond_repair:
        raise Failure(
            f"{beyond_repair} of {counted(len(chosen), 'ledger')} damaged beyond a rebuild; "
            "restore the engine's data from a backup"
        )
    print(f"{counted(len(chosen), 'article')} rebuilt")


async def _bring_back(restorer: Restorer, here: Installation, slug: str) -> None:
    """Let an archived article be folded: it is archived again in its time."""
    try:
        await restorer.restore(here.lanes.of(slug).article(slug))
    except ArchiveError as error:
        raise Failure(f"{slug}: {error}") from None


async def _replace(redis: Redis, here: Installation, store: Store, slug: str) -> list[str]:
    """Rebuild one article, and return what differs afterwards."""
    before = (await verified(redis, here, slug)).differences
    try:
        await store.rebuild(slug)
    except (LedgerError, DistrustedError) as error:
        return [str(error)]
    left = (await verified(redis, here, slug)).differences
    if len(left) < len(before):
        print(f"{slug}: {counted(len(before) - len(left), 'difference')} mended", flush=True)
    return left
