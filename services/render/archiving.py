"""Closed articles that nobody has changed for long leave the engine for the archive.

First the file, on the disk; then, in one step, the engine lets go of what is in it, if the article
is still that. So whoever dies where, the article is whole in one of the two. A file that is not
named by the engine any more is removed once it can never be named again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.render.core.audit import Kept
from services.render.verify import compare, read_kept, read_records
from shared.article.stored import recorded_at
from shared.contract.canonical import short
from shared.runtime.archive import Archive, ArchiveError, Held, Place
from shared.runtime.installation import Installation
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.lease import Lease
from shared.runtime.metrics import count
from shared.runtime.scripts import Script

PASS_SECONDS = 600.0
ARTICLES_A_READ = 500

log = structlog.get_logger()


class _Facts(NamedTuple):
    status: bytes | None
    seq: bytes | None
    archived: bytes | None


class Archiver:
    """Archives what has been closed for *after* seconds."""

    def __init__(self, redis: Redis, here: Installation, archive: Archive, after: float) -> None:
        self._redis = redis
        self._here = here
        self._archive = archive
        self._after = after
        self._script = Script("services.render", "archive.lua")

    async def run(self, lease: Lease) -> None:
        """Archive until cancelled, while *lease* is ours; troubles are waited out."""
        keeping = asyncio.create_task(lease.keep())
        try:
            while True:
                await asyncio.sleep(1.0)
                if lease.held:
                    await self._pass()
                    await asyncio.sleep(PASS_SECONDS)
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def _pass(self) -> None:
        try:
            await self.tidy()
            async for slug in self.due():
                await self.archive(slug)
        except (RedisError, OSError, ArchiveError) as error:
            log.error("archive.postponed", reason=str(error))

    async def due(self) -> AsyncIterator[str]:
        """Yield the slugs of articles that were closed so long ago that they are to be archived."""
        seconds, micros = await self._redis.time()
        before = (seconds - self._after) * 1e3 + micros / 1e3
        for lane in self._here.lanes:
            async for slugs in _batches(self._redis, lane):
                for slug in await self._closed(lane, slugs):
                    keys = lane.article(slug)
                    last: Any = await self._redis.lindex(keys.ledger, -1)
                    recorded = recorded_at(last) if last else None
                    if recorded is not None and recorded <= before:
                        yield slug

    async def _closed(self, lane: Lane, slugs: Sequence[str]) -> list[str]:
        async with self._redis.pipeline(transaction=False) as asked:
            for slug in slugs:
                asked.hmget(lane.article(slug).article, _Facts._fields)
            found = [_Facts(*facts) for facts in await asked.execute()]
        return [
            slug
            for slug, facts in zip(slugs, found, strict=True)
            if facts.status == b"closed" and not facts.archived
        ]

    async def archive(self, slug: str) -> bool:
        """Archive *slug*; False if it is not in a state to be.

        Raises:
            ArchiveError: the file can't be written.
            RedisError: the engine refused or stayed silent.
        """
        keys = self._here.lanes.of(slug).article(slug)
        kept = await read_kept(self._redis, keys)
        if kept is None or kept.filed.seq != kept.filed.version or b"archived" in kept.state:
            return False
        records = await read_records(self._redis, keys)
        found = await compare(self._redis, keys, self._here.key, kept, records)
        if found.differences or len(records) != kept.filed.seq:
            # What can't be proved to be the ledger's page stays where it can be mended.
            log.error("archive.refused", article=slug, differences=len(found.differences))
            return False
        place = Place(slug, kept.filed.version, short(kept.chain), kept.filed.rev)
        path = await asyncio.to_thread(self._archive.write, place, _held(kept), records)
        return await self._let_go(keys, kept, place, path)

    async def _let_go(self, keys: ArticleKeys, kept: Kept, place: Place, path: Path) -> bool:
        done = await self._script.run(
            self._redis,
            [keys.article, keys.ledger, keys.state, keys.holds, *keys.archivable],
            [place.name, place.version, kept.chain, place.rev],
        )
        if done:
            count("writethru_articles_archived_total")
            log.info("article.archived", article=keys.slug, version=place.version, file=str(path))
        return bool(done)

    async def tidy(self) -> None:
        """Remove the files that no article needs any more.

        Raises:
            ArchiveError, RedisError: as `archive`.
        """
        places = await asyncio.to_thread(lambda: list(self._archive.places()))
        for slug in {place.slug for place in places}:
            keys = self._here.lanes.of(slug).article(slug)
            await drop_obsolete(self._redis, keys, self._archive)


async def drop_obsolete(redis: Redis, keys: ArticleKeys, archive: Archive) -> None:
    """Remove the files of one article that the engine can't name any more.

    One of the version that the article still is at may just be about to be named: it stays.

    Raises:
        ArchiveError: one can't be removed.
        RedisError: the engine refused or stayed silent.
    """
    places = await asyncio.to_thread(archive.of, keys.slug)
    if not places:
        return
    async with redis.pipeline(transaction=True) as step:
        step.hmget(keys.article, "seq", "archived")
        step.hget(keys.state, "archived")
        (seq, filed), read = await step.execute()
    for place in _obsolete(places, int(seq or 0), {filed, read}):
        await asyncio.to_thread(archive.remove, place)
        count("writethru_archive_files_removed_total")
        log.info("archive.removed", article=place.slug, version=place.version)


def _obsolete(places: Iterable[Place], seq: int, named: set[bytes | None]) -> list[Place]:
    return [each for each in places if each.version < seq and each.name.encode() not in named]


def _held(kept: Kept) -> Held:
    return Held(
        {"state": kept.state, "updates": kept.updates, "pages": kept.pages},
        {"changed": kept.changed, "noted": kept.noted, "key_events": kept.key_events},
    )


async def _batches(redis: Redis, lane: Lane) -> AsyncIterator[list[str]]:
    some: list[str] = []
    async for slug, _ in redis.zscan_iter(lane.latest, count=ARTICLES_A_READ):
        some.append(slug.decode())
        if len(some) >= ARTICLES_A_READ:
            yield some
            some = []
    if some:
        yield some
