"""Bringing an article back from the archive: its ledger goes into the engine, and it is dirty.

Whoever is to change it does that first. It may be begun by several at once and be broken off: each
portion is put behind what is there, and the article is in the archive until the last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import structlog
from redis.asyncio import Redis

from shared.runtime.archive import Archive, ArchiveError, Contents
from shared.runtime.keys import ArticleKeys
from shared.runtime.metrics import count
from shared.runtime.scripts import Script

BYTES_A_STEP = 256 * 1024

log = structlog.get_logger()


class Restorer:
    """Brings articles back from *archive*, which may be None where there is none."""

    def __init__(self, redis: Redis, archive: Archive | None) -> None:
        self._redis = redis
        self._archive = archive
        self._script = Script("shared.runtime", "restore.lua")

    async def restore(self, keys: ArticleKeys) -> bool:
        """Bring the article of *keys* back; return whether it was archived.

        Raises:
            ArchiveError: its file can't be read.
            RedisError: the engine refused or stayed silent.
        """
        name: bytes | None = await self._redis.hget(keys.article, "archived")  # type: ignore[assignment]
        if name is None:
            return False
        contents = await self._contents(name.decode())
        length = await self._redis.llen(keys.ledger)
        while 0 <= length < len(contents.records):
            some = list(_portion(contents.records, length))
            length = await self._put(keys, name, length, some)
        if length >= 0:
            await self._put(keys, name, length, ())
        count("writethru_articles_restored_total")
        log.info("article.restored", article=keys.slug, version=contents.place.version)
        return True

    async def _contents(self, name: str) -> Contents:
        if self._archive is None:
            raise ArchiveError(f"{name} is archived; set WRITETHRU_ARCHIVE_DIR to where it is")
        return await asyncio.to_thread(self._archive.read, name)

    async def _put(self, keys: ArticleKeys, name: bytes, length: int, some: Sequence[bytes]) -> int:
        return int(
            await self._script.run(
                self._redis,
                [keys.article, keys.ledger, keys.lane.dirty],
                [keys.slug, name, length, *some],
            )
        )


def _portion(records: Sequence[bytes], start: int) -> Iterator[bytes]:
    size = 0
    for record in records[start:]:
        yield record
        size += len(record)
        if size >= BYTES_A_STEP:
            return
