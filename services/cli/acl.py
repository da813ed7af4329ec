"""`writethru acl`: the engine's users, and for each service the address that only it gets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from redis.exceptions import AuthenticationError, RedisError
from typer import Argument, Option

from services.cli.failure import Failure
from shared.runtime.clock import new_secret
from shared.runtime.engine_acl import USERS, acl_file
from shared.runtime.redis import LOST, connect

#: In DIR/engine, for the engine's `aclfile`.
ACL_FILE = Path("engine", "users.acl")
#: In DIR/<user>, for WRITETHRU_REDIS_URL_FILE.
URL_FILE = "redis-url"


def command(
    folder: Annotated[Path, Argument(metavar="DIR", help="Where the files go.")],
    engine: Annotated[
        str, Option(metavar="HOST:PORT", help="Where the services find the engine.")
    ] = "redis:6379",
) -> None:
    """Make a user of the engine for each service, with no more rights than it needs.

    DIR/engine/users.acl is for the engine's aclfile; DIR/ingest/redis-url and its like are for
    WRITETHRU_REDIS_URL_FILE. Run again, it keeps the passwords and brings the rights up to date;
    an engine that runs on the file takes them at once.
    """
    passwords = {user: _kept(folder / user / URL_FILE) or new_secret() for user in USERS}
    urls = {user: f"redis://{user}:{word}@{engine}/0" for user, word in passwords.items()}
    try:
        for user, url in urls.items():
            _write(folder / user / URL_FILE, url + "\n", 0o600)
        # The engine is another user on this machine; all that is secret in it is hashed.
        _write(folder / ACL_FILE, acl_file(passwords), 0o644)
    except OSError as error:
        raise Failure(f"{error.filename} can't be written ({error.strerror})") from None
    taken = asyncio.run(_load(urls["operator"]))
    then = "the engine has taken it" if taken else "the engine takes it when it starts"
    print(f"writethru: {folder / ACL_FILE} is written, and {then}")


def _kept(url: Path) -> str | None:
    try:
        return urlsplit(url.read_text("utf-8").strip()).password
    except FileNotFoundError:
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
            await redis.acl_load()
    except AuthenticationError:
        raise Failure("the engine that runs knows other passwords; restart it") from None
    except LOST:
        return False
    except RedisError as error:
        raise Failure(f"the engine does not take its new users: {error}") from None
    return True
