"""`writethru acl`: the engine's users, and for each service the address that only it gets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

from redis.exceptions import AuthenticationError, RedisError
from typer import Argument, Option

from services.cli.failure import Failure, misused
from shared.runtime.clock import new_secret
from shared.runtime.engine_acl import REPLICA, USERS, acl_file
from shared.runtime.engine_url import EngineUrl, parse_engine_url
from shared.runtime.redis import LOST, connect, servers

#: In DIR/engine, for the engine's `aclfile`.
ACL_FILE = Path("engine", "users.acl")
#: In DIR/engine, with what a replica needs, for the server to begin its settings with.
REPLICA_FILE = Path("engine", "replica.conf")
#: In DIR/<user>, for WRITETHRU_REDIS_URL_FILE.
URL_FILE = "redis-url"


def command(
    folder: Annotated[Path, Argument(metavar="DIR", help="Where the files go.")],
    engine: Annotated[
        str,
        Option(
            metavar="HOST:PORT",
            help="Where the services find the engine; or its whole address, without a user.",
        ),
    ] = "redis:6379",
) -> None:
    """Make a user of the engine for each service, with no more rights than it needs.

    DIR/engine/users.acl is for the engine's aclfile; DIR/ingest/redis-url and its like are for
    WRITETHRU_REDIS_URL_FILE. For sentinels or a cluster, DIR/engine/replica.conf is what every
    server begins its settings with, so that replicas are let in. Run again, it keeps the
    passwords and brings the rights up to date; an engine that runs on the file takes them at once.
    """
    place = _place(engine)
    passwords = {user: _kept(folder / user / URL_FILE) or new_secret() for user in USERS}
    urls = {user: place.over(f"{user}:{word}") for user, word in passwords.items()}
    if place.kind != "alone":
        passwords[REPLICA] = _kept_of_replica(folder / REPLICA_FILE) or new_secret()
    try:
        for user, url in urls.items():
            _write(folder / user / URL_FILE, url + "\n", 0o600)
        # The engine is another user on this machine; all that is secret in it is hashed.
        _write(folder / ACL_FILE, acl_file(passwords), 0o644)
        if REPLICA in passwords:
            login = f"masteruser {REPLICA}\nmasterauth {passwords[REPLICA]}\n"
            _write(folder / REPLICA_FILE, login, 0o644)
    except OSError as error:
        raise Failure(f"{error.filename} can't be written ({error.strerror})") from None
    taken = asyncio.run(_load(urls["operator"]))
    then = "the engine has taken it" if taken else "the engine takes it when it starts"
    print(f"writethru: {folder / ACL_FILE} is written, and {then}")


def _place(engine: str) -> EngineUrl:
    try:
        return parse_engine_url(engine if "://" in engine else f"redis://{engine}/0")
    except ValueError as error:
        raise misused(f"--engine {error}") from None


def _kept(url: Path) -> str | None:
    try:
        login = parse_engine_url(url.read_text("utf-8").strip()).login
    except (FileNotFoundError, ValueError):
        return None
    return login.partition(":")[2] or None


def _kept_of_replica(settings: Path) -> str | None:
    try:
        return settings.read_text("utf-8").split()[-1]
    except (FileNotFoundError, IndexError):
        return None


def _write(path: Path, text: str, mode: int) -> None:
    """Put *text* in place in one step: whoever reads meanwhile gets the one or the other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


async def _load(url: str) -> bool:
    """Have the engine read its file again; False if it doesn't run.

    Raises:
        Failure: it runs, and on other users.
    """
    try:
        async with connect(url, retries=0) as redis:
            for server in await servers(redis):
                await server.acl_load()
    except AuthenticationError:
        raise Failure("the engine that runs knows other passwords; restart it") from None
    except LOST:
        return False
    except RedisError as error:
        raise Failure(f"the engine does not take its new users: {error}") from None
    return True
