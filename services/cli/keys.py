"""`writethru keys`: who may publish. A key's token is shown once, alone on standard output."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
from redis.asyncio import Redis
from typer import Argument, Option

from services.cli.durations import UNITS, duration
from services.cli.failure import Failure, misused
from services.cli.keys_shown import HEADINGS, facts, rights, row, second
from services.cli.saying import say
from services.cli.stored import DataDir, RedisUrl, engine
from services.cli.terminal import columns
from shared.article.dates import parse_rfc3339
from shared.contract.access import SCOPES, ApiKey, Scope, ended
from shared.contract.desk import Check, Level, parse_levels
from shared.contract.durability import Durability, parse_durability
from shared.runtime import api_keys
from shared.runtime.clock import now

_T = TypeVar("_T")
_Scope = StrEnum("_Scope", SCOPES)  # type: ignore[misc]  # the command line takes no Literal

_SLUG_PATTERN = re.compile(r"[a-z0-9*?\[\]!-]{1,128}")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\n\r\t\x00-\x1f\x7f]{0,62}\S)?")

KeyId = Annotated[str, Argument(metavar="ID", help="As `keys list` shows it.")]
Patterns = list[str] | None
Expires = Annotated[
    str | None,
    Option(metavar="TIME", help="When it ends: in 90d, or at 2027-01-01T00:00:00Z."),
]


def overview() -> None:
    """Make, list, rotate and revoke the keys with which newsroom systems publish.

    It may run while the stack does: a change holds from the next request on.
    """


def create(
    name: Annotated[str, Argument(metavar="NAME", help="Whose key it is, for people.")],
    scope: Annotated[
        list[_Scope],
        Option(
            "--scope",
            metavar="SCOPE",
            help="What it may do: publish, correct, kill, read or admin; once for each.",
        ),
    ],
    article: Annotated[
        Patterns,
        Option(metavar="PATTERN", help=r"Articles it is for, as election-*. \[default: all]"),
    ] = None,
    source: Annotated[
        Patterns, Option(metavar="PATTERN", help=r"Sources it files as. \[default: all]")
    ] = None,
    expires: Expires = None,
    checks: Annotated[
        str,
        Option(
            metavar="LEVELS",
            help="Levels of the desk's checks for what it files, as cut-short=hold,odd-time=off.",
        ),
    ] = "",
    durability: Annotated[
        str,
        Option(
            metavar="LEVEL",
            help="The least level that what it files is kept at: memory, fsync, replica or "
            "replica-fsync. Requests may ask for more.",
        ),
    ] = "",
    rate: Annotated[
        int | None,
        Option(
            metavar="EVENTS", min=1, help=r"How many events a minute it may file. \[default: any]"
        ),
    ] = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key, and print its token, which is shown this once."""
    _check(name, article or ())
    end = _end(expires) if expires else None
    levels = _levels(checks)
    floor = _floor(durability)
    scopes: tuple[Scope, ...] = tuple(each for each in SCOPES if each in scope)
    articles, sources = tuple(article or "*"), tuple(source or "*")
    limits = (articles, sources, end, levels, floor, rate)
    key, token = _with_engine(
        redis_url, data_dir, lambda redis: api_keys.create(redis, name, scopes, *limits)
    )
    say(f"key {key.key_id} for {key.name}: {rights(key)}")
    _hand_over(token)


def list_(
    json: Annotated[bool, Option("--json", metavar="", help="As JSON, one object a line.")] = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """List all keys, those that opened once too; their tokens are kept nowhere."""
    keys, used = _with_engine(redis_url, data_dir, _everyone)
    if json:
        for key in keys:
            print(orjson.dumps(facts(key, used.get(key.key_id))).decode())
        return
    rows = [HEADINGS, *(row(key, used.get(key.key_id)) for key in keys)]
    for line in columns(rows) if keys else ():
        print(line)
    if not keys:
        say("there are no keys; make one with: writethru keys create NAME --scope publish")


def rotate(
    key_id: KeyId,
    grace: Annotated[
        str,
        Option(metavar="TIME", help="How long the token before it goes on: 30m, 24h, 7d or 0."),
    ] = "24h",
    expires: Expires = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Give a key another token, and print it; the one before goes on for a while.

    With --expires the key ends then, and not when it was to; without it that stays.
    """
    wait = duration("grace", grace)
    end = _end(expires) if expires else None
    key, token = _with_engine(
        redis_url, data_dir, lambda redis: api_keys.rotate(redis, key_id, wait, end)
    )
    older = [secret.expires for secret in key.alive(now()) if secret.expires]
    until = f"; what it had before ends {second(max(older))}" if older else ""
    say(f"key {key.key_id} for {key.name} has another token{until}")
    _hand_over(token)


def revoke(key_id: KeyId, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Close the door to a key, at once and for good."""
    key = _with_engine(redis_url, data_dir, lambda redis: api_keys.revoke(redis, key_id))
    say(f"key {key.key_id} for {key.name} opens nothing any more")


#: The subcommands, by their names.
ACTIONS: dict[str, Callable[..., None]] = {
    "create": create,
    "list": list_,
    "rotate": rotate,
    "revoke": revoke,
}


async def _everyone(redis: Redis) -> tuple[list[ApiKey], Mapping[str, datetime]]:
    return await api_keys.everyone(redis), await api_keys.used(redis)


def _with_engine(
    redis_url: str | None, data_dir: Path | None, work: Callable[[Redis], Awaitable[_T]]
) -> _T:
    async def run() -> _T:
        async with engine(redis_url, data_dir) as redis:
            return await work(redis)

    try:
        return asyncio.run(run())
    except api_keys.NoSuchKey as error:
        raise Failure(
            f"there is no key {error}; see writethru keys list"
            if str(error)
            else "the record of a key is damaged; restore the engine's data from a backup"
        ) from None
    except api_keys.KeyRevoked as error:
        raise Failure(f"key {error} is revoked, which is for good; make another") from None
    except api_keys.KeyExpired as error:
        raise Failure(f"key {error} has expired; say until when, as --expires 90d") from None


def _check(name: str, articles: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        raise misused("a key's NAME is one line of up to 64 characters, such as cms")
    for pattern in articles:
        if not _SLUG_PATTERN.fullmatch(pattern):
            raise misused(
                f"{pattern!r} fits no article: slugs are small letters, digits and hyphens, "
                "and * stands for any of them, as in election-*"
            )


def _end(text: str) -> datetime:
    """Return the moment that --expires names, which is still to come."""
    try:
        end = now() + duration("expires", text) if text[-1:] in UNITS else parse_rfc3339(text)
    except (ValueError, OverflowError):
        raise misused(
            f"--expires {text!r} is no time; write it as 90d, 12h or 2027-01-01T00:00:00Z"
        ) from None
    if ended(end, now()):
        raise misused(f"--expires {text!r} is not in the future; write it as 90d, or leave it out")
    return end


def _levels(line: str) -> dict[Check, Level]:
    try:
        return parse_levels(line)
    except ValueError as error:
        raise misused(f"--checks: {error}") from None


def _floor(text: str) -> Durability | None:
    try:
        return parse_durability(text) if text else None
    except ValueError as error:
        raise misused(f"--durability: {error}") from None


def _hand_over(token: str) -> None:
    say("its token, shown this once:")
    print(token)
