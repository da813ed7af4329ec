"""`writethru archive`: closed articles leave the engine for a folder, and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from redis.asyncio import Redis
from typer import Argument, Context, Option

from services.cli.failure import WRONG_SETTING, Failure
from services.cli.options import settings
from services.cli.stored import DataDir, RedisUrl, articles, installation
from services.cli.telling import counted
from services.cli.terminal import columns
from services.render.archiving import Archiver
from services.render.store import Store
from shared.runtime import log
from shared.runtime.archive import Archive, ArchiveError
from shared.runtime.installation import Installation
from shared.runtime.restore import Restorer

_HEADINGS = ("ARTICLE", "VERSION", "BYTES", "")

Folder = Annotated[
    Path | None, Option(metavar="DIR", help=r"The archive. \[default: WRITETHRU_ARCHIVE_DIR]")
]
DryRun = Annotated[
    bool, Option("--dry-run", metavar="", help="Only say which articles would be archived.")
]


def overview(
    context: Context,
    dry_run: DryRun = False,
    folder: Folder = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Archive what has been closed for longer than WRITETHRU_ARCHIVE_AFTER, or see what is there.

    Archived articles are served as before; an event for one brings it back. Render does by itself
    what this does, every ten minutes, if WRITETHRU_ARCHIVE_DIR is set.
    """
    if context.invoked_subcommand is None:
        log.configure("archive", "warning")
        asyncio.run(_archive(folder, redis_url, data_dir, dry_run=dry_run))


def list_(folder: Folder = None, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """List the archive's files, and say which of them no article needs."""
    asyncio.run(_list(folder, redis_url, data_dir))


def restore(
    slugs: Annotated[list[str], Argument(metavar="SLUG", help="Articles to bring back.")],
    folder: Folder = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Bring articles back into the engine, as they were."""
    log.configure("archive", "warning")
    asyncio.run(_restore(slugs, folder, redis_url, data_dir))


#: The subcommands, by their names.
ACTIONS = {"list": list_, "restore": restore}
ALONE = True


@asynccontextmanager
async def _opened(
    folder: Path | None, redis_url: str | None, data_dir: Path | None
) -> AsyncIterator[tuple[Redis, Installation, Archive]]:
    archive = Archive(folder) if folder else settings().archive
    if archive is None:
        raise Failure(
            "there is no archive; set WRITETHRU_ARCHIVE_DIR, for the services too",
            WRONG_SETTING,
        )
    async with installation(redis_url, data_dir) as (redis, here):
        try:
            yield redis, here, archive
        except ArchiveError as error:
            raise Failure(str(error)) from None


async def _archive(
    folder: Path | None, redis_url: str | None, data_dir: Path | None, *, dry_run: bool
) -> None:
    done = 0
    async with _opened(folder, redis_url, data_dir) as (redis, here, archive):
        archiver = Archiver(redis, here, archive, settings().archive_after)
        if not dry_run:
            await archiver.tidy()
        async for slug in archiver.due():
            if dry_run or await archiver.archive(slug):
                done += 1
                print(slug, flush=True)
            else:
                print(f"{slug}: left as it is; writethru verify may say why", flush=True)
    print(f"{counted(done, 'article')} {'would be ' if dry_run else ''}archived")


async def _list(folder: Path | None, redis_url: str | None, data_dir: Path | None) -> None:
    rows: list[tuple[str, ...]] = []
    async with _opened(folder, redis_url, data_dir) as (redis, here, archive):
        for place in sorted(archive.places(), key=lambda each: each.name):
            keys = here.lanes.of(place.slug).article(place.slug)
            named = place.name.encode() == await redis.hget(keys.article, "archived")
            size = f"{archive.size(place):,}"
            rows.append((place.slug, str(place.version), size, "" if named else "not needed"))
    for line in columns([_HEADINGS, *rows]) if rows else ():
        print(line)
    print(f"{counted(len(rows), 'file')}")


async def _restore(
    slugs: list[str], folder: Path | None, redis_url: str | None, data_dir: Path | None
) -> None:
    async with _opened(folder, redis_url, data_dir) as (redis, here, archive):
        restorer = Restorer(redis, archive)
        store = Store(redis, here.lanes, warm=1, archive=archive)
        for slug in await articles(redis, here.lanes, slugs):
            if not await restorer.restore(here.lanes.of(slug).article(slug)):
                print(f"{slug}: was not archived")
                continue
            await store.render(slug)
            print(f"{slug}: brought back")
