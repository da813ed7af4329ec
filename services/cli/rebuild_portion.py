"""A part of a rebuild: some articles, in whichever process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing import connection, parent_process
from typing import NamedTuple

from redis.asyncio import Redis

from services.cli.failure import Failure
from services.cli.options import settings
from services.cli.stored import existing, opened
from services.render.refolding import replaced
from services.render.store import Store
from shared.contract.errors import Busy
from shared.runtime import log
from shared.runtime.archive import ArchiveError
from shared.runtime.installation import Installation
from shared.runtime.restore import Restorer
from shared.runtime.shelf import Shelves

#: While one waits for the engine, another is folded.
ARTICLES_AT_ONCE = 2


class Rebuilt(NamedTuple):
    """What came of one article: differences *mended*, and those *left*, in sentences."""

    slug: str
    mended: int
    left: Sequence[str]


def begin() -> None:
    """Begin as a process of its own, which ends with the one that started it."""
    log.configure("rebuild", "warning")
    gc.disable()  # a fold makes no cycles, and looking for them took 7 % of its time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := parent_process():
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def rebuild_at(url: str, slugs: Sequence[str]) -> list[Rebuilt]:
    """Rebuild *slugs* in the engine at *url*.

    Raises:
        Failure: an article can't be brought back from the archive, or changes too fast.
    """

    async def run() -> list[Rebuilt]:
        async with opened(url) as redis:
            return await rebuild(redis, await existing(redis), slugs)

    return asyncio.run(run())


async def rebuild(redis: Redis, here: Installation, slugs: Sequence[str]) -> list[Rebuilt]:
    """Rebuild *slugs*; raises as `rebuild_at`."""
    store = Store(redis, here.lanes, warm=1, archive=settings().archive)
    turns = asyncio.Semaphore(ARTICLES_AT_ONCE)

    async def one(slug: str) -> Rebuilt:
        async with turns:
            return await _rebuild(redis, here, store, slug)

    return await asyncio.gather(*map(one, slugs))


async def _rebuild(redis: Redis, here: Installation, store: Store, slug: str) -> Rebuilt:
    archive = settings().archive
    try:
        # It is archived again in its time.
        await Restorer(redis, archive).restore(here.lanes.of(slug).article(slug))
        found = await replaced(redis, here, slug, store.rebuild, Shelves(archive))
    except ArchiveError as error:
        raise Failure(f"{slug}: {error}") from None
    except Busy as busy:
        raise Failure(busy.detail) from None
    return Rebuilt(slug, *found)
