"""`writethru export`: the whole installation as one file, from which another can be made."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from redis.asyncio import Redis
from rich.console import Console
from typer import Argument, Option

from services.cli.failure import Failure, misused
from services.cli.options import settings
from services.cli.progress import progress
from services.cli.stored import DataDir, RedisUrl, articles, installation
from services.cli.telling import counted
from services.cli.transfer import (
    End,
    Header,
    HeldRecord,
    History,
    InstallationKey,
    KeyRecord,
    key_check,
)
from services.ingest.desk import Desk
from shared.runtime.installation import SCHEMA, Installation
from shared.runtime.keys import API_KEYS, SUBSCRIPTIONS
from shared.runtime.ledgers import Ledgers

ENTRIES_A_READ = 200
OWNER_ONLY = 0o600


def command(
    file: Annotated[
        str, Argument(metavar="FILE", help="Where to; - is standard output. Compressed if *.gz.")
    ] = "-",
    key_file: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help=r"Where the installation's key goes. \[default: FILE.key beside the export]",
        ),
    ] = None,
    with_key: Annotated[
        bool, Option("--with-key", metavar="", help="Put that key into the export itself.")
    ] = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Write the whole installation to a file: every article's ledger, and the API keys.

    Subscriptions to webhooks are not in it. It may run while the stack does; each article is
    exported as it stands at its turn. The installation's key, by which events that are sent again
    are known, goes into a file of its own.
    Both can be read by you only: they hold copy that was withdrawn or is not out yet.
    """
    if file.endswith(".zst"):
        raise misused("exports are compressed by gzip: name it *.gz")
    if with_key and key_file:
        raise misused("the key goes into the export or into a file of its own, not both")
    if key_file is None and file != "-" and not with_key:
        key_file = Path(f"{file}.key")
    asyncio.run(_export(file, key_file, redis_url, data_dir, with_key=with_key))


async def _export(
    file: str,
    key_file: Path | None,
    redis_url: str | None,
    data_dir: Path | None,
    *,
    with_key: bool,
) -> None:
    async with installation(redis_url, data_dir) as (redis, here):
        with _opened(file) as out:
            end = await _write(redis, here, out, with_key=with_key)
        subscriptions = int(await redis.hlen(SUBSCRIPTIONS))
        if key_file is not None:
            with _replaced(key_file) as secret:
                secret.write(here.key.hex().encode() + b"\n")
    said = f"{counted(end.articles, 'article')}, {counted(end.events, 'event')}"
    said += f", {end.held:,} of them held; " if end.held else "; "
    if with_key:
        said += "the installation's key is in it"
    elif key_file is not None:
        said += f"the installation's key is in {key_file}"
    else:
        said += "without the installation's key: see --with-key and --key-file"
    tell = Console(stderr=True)
    tell.print(said, highlight=False, soft_wrap=True)
    if subscriptions:
        said = f"not in it: {counted(subscriptions, 'subscription')} to webhooks, as a copy must "
        said += (
            "not tell partners what the original tells; subscribe them where they are to be told"
        )
        tell.print(said, highlight=False, soft_wrap=True)


async def _write(redis: Redis, here: Installation, out: BinaryIO, *, with_key: bool) -> End:
    # Read before the ledgers: what is released meanwhile is there as well, and counts once.
    records = await Desk(redis, here.lanes).records()
    held = [HeldRecord(slug, name, record) for slug, name, record in records]
    slugs = await articles(redis, here.lanes, [])
    out.write(Header(len(slugs), SCHEMA, key_check(here.key)).line())
    if with_key:
        out.write(InstallationKey(here.key).line())
    events = 0
    with progress("exporting", len(slugs)) as advance:
        for slug in slugs:
            events += await _write_article(redis, here, slug, out)
            advance()
    out.writelines(each.line() for each in held)
    keys: Any = await redis.hgetall(API_KEYS)
    out.writelines(
        KeyRecord(key_id.decode(), record).line() for key_id, record in sorted(keys.items())
    )
    end = End(len(slugs), events, len(held))
    out.write(end.line())
    return end


async def _write_article(redis: Redis, here: Installation, slug: str, out: BinaryIO) -> int:
    facts: Any = await redis.hmget(here.lanes.of(slug).article(slug).article, ["seq", "chain"])
    seq, chain = int(facts[0] or 0), (facts[1] or b"").decode()
    out.write(History(slug, seq, chain).line())
    ledgers = Ledgers(redis, here.lanes, settings().archive)
    for after in range(0, seq, ENTRIES_A_READ):
        to = min(after + ENTRIES_A_READ, seq)
        records = await ledgers.read(slug, after, to)
        if len(records) < to - after:
            raise Failure(
                f"{slug}: {seq} events were accepted, and not all are there; "
                "writethru verify says more"
            )
        out.writelines(record + b"\n" for record in records)
    return seq


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """Open *file* for writing: standard output, or a file that is there once it is whole."""
    with ExitStack() as stack:
        if file == "-":
            out: BinaryIO = sys.stdout.buffer
        else:
            out = stack.enter_context(_replaced(Path(file)))
        if file.endswith(".gz"):
            packed = gzip.GzipFile(fileobj=out, mode="wb", filename="", compresslevel=6)
            out = stack.enter_context(packed)  # type: ignore[assignment]
        yield out


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Write *path* so that what stands under that name is always whole, and the owner's only.

    Raises:
        Failure: it can't be written.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with open(
            os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "wb"
        ) as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
