"""`writethru import`: takes in what `writethru export` wrote, into an installation of any shape."""

from __future__ import annotations

import asyncio
import gzip
import io
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError
from rich.console import Console
from typer import Argument, Option

from services.cli.failure import WRONG_SETTING, Failure
from services.cli.options import settings
from services.cli.progress import progress
from services.cli.stored import DataDir, RedisUrl, engine
from services.cli.telling import counted
from services.cli.transfer import (
    Header,
    HeldRecord,
    History,
    InstallationKey,
    KeyRecord,
    Part,
    key_check,
    parts,
)
from services.ingest.desk import Desk
from services.ingest.taking_in import ConflictError, TakingIn
from services.render.verify import every_article
from shared.article.history import DamagedError
from shared.article.stored import link_of
from shared.runtime.installation import SCHEMA, Installation, open_installation
from shared.runtime.keys import API_KEYS, META, RENDER_GROUP
from shared.runtime.lanes import Lanes
from shared.runtime.settings import SettingsError

_GZIP = b"\x1f\x8b"
#: A renderer that lives asks for wake-ups every second.
_LIVING_MS = 5_000


def command(
    file: Annotated[
        str, Argument(metavar="FILE", help="What export wrote; - is standard input.")
    ] = "-",
    key_file: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help=r"The key of the exported installation. \[default: FILE.key, if it is there]",
        ),
    ] = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Take in an exported installation: into an empty one, or one that has nothing else.

    Every article's history is checked before anything of it is written. What is there already is
    left as it is, so that the command may be run again after it was stopped.
    """
    if key_file is None and Path(f"{file}.key").is_file():
        key_file = Path(f"{file}.key")
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(_import(file, key_file, redis_url, data_dir))


async def _import(
    file: str, key_file: Path | None, redis_url: str | None, data_dir: Path | None
) -> None:
    with _opened(file) as lines:
        stream = parts(lines)
        header, second = cast("Header", next(stream)), next(stream)
        if isinstance(second, InstallationKey):
            key: bytes | None = second.key
        else:
            key, stream = _key(key_file), chain([second], stream)
        async with engine(redis_url, data_dir) as redis:
            here = await _installation(redis, header, key)
            done = await _take_all(redis, here, header, stream)
    said = f"{counted(done['taken'], 'article')} taken in, {done['known']} known already"
    said += f"; {counted(done['held'], 'event')} held" if done["held"] else ""
    Console(stderr=True).print(said, highlight=False, soft_wrap=True)


async def _take_all(
    redis: Redis, here: Installation, header: Header, stream: Iterator[Part]
) -> Counter[str]:
    done: Counter[str] = Counter()
    taking = TakingIn(redis, here.lanes, settings().archive)
    desk = Desk(redis, here.lanes)
    with progress("importing", header.articles) as advance:
        for part in stream:
            if isinstance(part, History):
                done[await _take(taking, part)] += 1
                advance()
            elif isinstance(part, HeldRecord):
                done["held"] += await _hold(desk, part)
            elif isinstance(part, KeyRecord):
                await redis.hsetnx(API_KEYS, part.key_id, part.record.decode())
    return done


async def _hold(desk: Desk, held: HeldRecord) -> bool:
    try:
        return await desk.take(held.slug, held.name, held.record)
    except ResponseError:
        raise Failure(
            f"the export's held event {held.name} of {held.slug} is damaged; it was not taken in"
        ) from None


async def _take(taking: TakingIn, history: History) -> str:
    try:
        if history.records and link_of(history.records[-1]).chain != history.chain:
            raise DamagedError("its last event is not the one that it says")
        return await taking.take(history.slug, history.records)
    except DamagedError as error:
        raise Failure(
            f"the export's article {history.slug} is damaged: {error}; nothing of it was taken in"
        ) from None
    except ConflictError as error:
        raise Failure(f"{error}; nothing of it was taken in") from None


async def _installation(redis: Redis, header: Header, key: bytes | None) -> Installation:
    """Open the installation, made under the exported one's key if it holds nothing yet.

    Raises:
        Failure: it can't be of that key, or a newer writethru made the export.
    """
    if header.schema > SCHEMA:
        raise Failure(
            f"the export's schema is {header.schema}, and this writethru knows {SCHEMA}; "
            "import it with a newer writethru"
        )
    if key is not None and key_check(key) != header.key:
        raise Failure("the key file is not of the installation that was exported")
    found: Any = await redis.hget(META, "key")
    if found is None or key_check(bytes.fromhex(found.decode())) != header.key:
        await _set_key(redis, key, new=found is None)
    try:
        return await open_installation(redis, settings().lanes)
    except SettingsError as error:
        raise Failure(str(error), WRONG_SETTING) from None


async def _set_key(redis: Redis, key: bytes | None, *, new: bool) -> None:
    """Give the installation the exported one's key: nothing was filed under another yet."""
    if key is None:
        raise Failure(
            "without the exported installation's key, events that are sent again would not be "
            "known; name it with --key-file"
        )
    if not new:
        await _check_empty(redis)
    await redis.hset(META, "key", key.hex())


async def _check_empty(redis: Redis) -> None:
    lanes = (await open_installation(redis, settings().lanes)).lanes
    async for slug in every_article(redis, lanes):
        raise Failure(
            f"this installation has a key of its own and articles filed under it, such as {slug}; "
            "import into an empty one"
        )
    if await _is_running(redis, lanes):
        raise Failure("stop the stack that runs here first: it would go on with its own key")


async def _is_running(redis: Redis, lanes: Lanes) -> bool:
    """Whether a renderer lives here: the group's consumers say when they last asked."""
    for lane in lanes:
        if not await redis.exists(lane.events):
            continue
        for group in await redis.xinfo_groups(lane.events):
            if group["name"] == RENDER_GROUP.encode():
                consumers = await redis.xinfo_consumers(lane.events, RENDER_GROUP)
                if any(each["idle"] < _LIVING_MS for each in consumers):
                    return True
    return False


def _key(key_file: Path | None) -> bytes | None:
    if key_file is None:
        return None
    try:
        return bytes.fromhex(key_file.read_text("ascii"))
    except OSError as error:
        raise Failure(f"{key_file} can't be read: {error.strerror}") from None
    except ValueError:
        raise Failure(f"{key_file} holds no key of an installation") from None


@contextmanager
def _opened(file: str) -> Iterator[Iterator[bytes]]:
    """Open *file* as lines, unpacked if it is gzip's.

    Raises:
        Failure: it can't be read.
    """
    try:
        with cast("BinaryIO", sys.stdin.buffer if file == "-" else Path(file).open("rb")) as raw:
            source = io.BufferedReader(cast("io.RawIOBase", raw))
            packed = source.peek(2)[:2] == _GZIP
            yield iter(gzip.GzipFile(fileobj=source) if packed else source)
    except (EOFError, gzip.BadGzipFile):
        raise Failure("the export breaks off or is damaged; get the whole file") from None
    except OSError as error:
        raise Failure(f"{file} can't be read: {error.strerror or error}") from None
