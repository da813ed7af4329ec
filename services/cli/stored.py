"""What an installation stores: finding its engine, and every article in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

from redis.asyncio import Redis
from redis.exceptions import RedisError
from typer import Argument, Option

from services.cli.failure import WRONG_SETTING, Failure, misused
from services.cli.options import is_set, settings
from services.cli.remote import check_slug
from services.render.verify import Verified, every_article, verify
from shared.contract.errors import Busy
from shared.runtime.data_folder import ADDRESS, DataFolderError
from shared.runtime.engine import Engine
from shared.runtime.engine_binary import EngineError
from shared.runtime.installation import Installation, check_kind, open_installation
from shared.runtime.keys import META
from shared.runtime.lanes import Lanes
from shared.runtime.redis import connect
from shared.runtime.settings import SettingsError
from shared.runtime.shelf import Shelves
from shared.runtime.tls import misfit

DATA = Path("data")

Slugs = Annotated[
    list[str] | None, Argument(metavar="SLUG", help="Articles; all of them if left out.")
]
RedisUrl = Annotated[str | None, Option(metavar="URL", help="The engine, if it runs elsewhere.")]
DataDir = Annotated[
    Path | None,
    Option(metavar="DIR", help=r"The data folder of `writethru up`. \[default: ./data]"),
]


@asynccontextmanager
async def installation(
    redis_url: str | None, data_dir: Path | None
) -> AsyncIterator[tuple[Redis, Installation]]:
    """Open the installation in the engine that `engine` finds.

    Raises:
        Failure: there is no engine, or no installation in it.
    """
    async with engine(redis_url, data_dir) as redis:
        yield redis, await existing(redis)


@asynccontextmanager
async def engine(redis_url: str | None, data_dir: Path | None) -> AsyncIterator[Redis]:
    """Open the engine that is named, else the one of the environment, else that of `./data`.

    The engine of a data folder is started for as long as it takes, unless `up` runs on it.

    Raises:
        Failure: there is no engine.
    """
    with engine_url(redis_url, data_dir) as url:
        async with opened(url) as redis:
            yield redis


@contextmanager
def engine_url(redis_url: str | None, data_dir: Path | None) -> Iterator[str]:
    """Find the address of the engine, as `engine` does.

    Raises:
        Failure: there is none.
    """
    if redis_url and data_dir:
        raise misused("name the engine with --redis-url or with --data-dir, not both")
    url, started = settings(redis_url=redis_url).engine_url, None
    if data_dir or not (redis_url or is_set("redis_url")):
        started, url = _of_folder(data_dir or DATA)
    try:
        yield url
    finally:
        if started is not None:
            started.stop()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Redis]:
    """Open the engine at *url*.

    Raises:
        Failure: it doesn't answer as it should.
    """
    try:
        async with connect(url, retries=2) as redis:
            yield redis
    except RedisError as error:
        if wrong := misfit(error):
            raise Failure(wrong, WRONG_SETTING) from None
        raise Failure(f"the engine does not answer as it should: {error}") from None


def _of_folder(folder: Path) -> tuple[Engine | None, str]:
    """Return the engine of *folder*, if it had to be started, and its address."""
    if not folder.is_dir():
        raise Failure(
            f"there is no data folder {folder}; name it with --data-dir, "
            "or an engine that runs with --redis-url"
        )
    engine = Engine(folder)
    try:
        engine.start()
    except DataFolderError as error:
        try:
            return None, (folder / ADDRESS).read_text().strip()
        except OSError:
            raise Failure(str(error)) from None
    except EngineError as error:
        raise Failure(str(error)) from None
    return engine, engine.url


async def existing(redis: Redis) -> Installation:
    """Return the installation that is there.

    Raises:
        Failure: there is none, or it isn't one of ours.
    """
    lanes = settings().lanes
    try:
        await check_kind(redis)
        if not await redis.exists(META):
            raise Failure("nothing was ever published to this engine; is it the right one?")
        return await open_installation(redis, lanes)
    except SettingsError as error:
        raise Failure(str(error), WRONG_SETTING) from None


async def articles(redis: Redis, lanes: Lanes, chosen: Sequence[str]) -> list[str]:
    """Return the slugs of all articles, or *chosen* if there are any.

    Raises:
        Failure: one of *chosen* does not exist.
    """
    for slug in chosen:
        if not await redis.hget(lanes.of(check_slug(slug)).article(slug).article, "seq"):
            raise Failure(f"there is no article {slug} in this installation")
    if chosen:
        return list(chosen)
    return sorted({slug async for slug in every_article(redis, lanes)})


async def verified(redis: Redis, here: Installation, slug: str) -> Verified:
    """Return where what is stored of *slug* is not what its ledger gives.

    Raises:
        Failure: it changes too fast to tell.
    """
    try:
        return await verify(redis, here.lanes, here.key, slug, Shelves(settings().archive))
    except Busy as busy:
        raise Failure(busy.detail) from None
