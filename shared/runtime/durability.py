"""What an accepted event survives, as the engine is set, not as anybody hopes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.contract.durability import HEADER, Durability, strictest
from shared.contract.errors import Refused
from shared.runtime.redis import place, primaries
from shared.runtime.settings import SettingsError

#: What `fsync` takes: each write on disk before its answer, and nothing ever evicted.
NEEDED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}

UNVERIFIED = "unverified"

#: How long a write waits to be confirmed, and before that for a replica to have it in memory: less
#: than a socket's patience, and both together less than half of an append's.
WAIT_MILLISECONDS, NUDGE_MILLISECONDS = 3_000, 1_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wait:
    """What confirms that writes are kept at *level*: commands, and what the last has to return.

    The engine counts what the same connection has written, and doesn't wait inside a transaction.
    """

    level: Durability
    commands: tuple[tuple[str | int, ...], ...]
    enough: tuple[int, ...]

    def is_met(self, reply: Any) -> bool:
        """Whether that is what the last command returned; an error is not."""
        if isinstance(reply, Exception):
            return False
        found = reply if isinstance(reply, list) else [reply]
        return all(have >= need for have, need in zip(found, self.enough, strict=True))


#: How each level is confirmed where a write's own answer doesn't say it.
WAITS: Mapping[Durability, Wait] = {
    "fsync": Wait("fsync", (("WAITAOF", 1, 0, WAIT_MILLISECONDS),), (1, 0)),
    "replica": Wait("replica", (("WAIT", 1, WAIT_MILLISECONDS),), (1,)),
    # A replica that is asked answers before it writes to its disk, and unasked once a second. So
    # it is asked when it has the write in memory, and again when that is on its disk.
    "replica-fsync": Wait(
        "replica-fsync",
        (("WAIT", 1, NUDGE_MILLISECONDS), ("WAITAOF", 1, 1, WAIT_MILLISECONDS)),
        (1, 1),
    ),
}


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of an installation: the *default*, what a write alone is *kept* at, and why not.

    *lacking* says of levels that can't be had why that is so.
    """

    default: Durability
    kept: str
    lacking: Mapping[Durability, str] = field(default_factory=dict)

    def wait(self, asked: Durability | None = None, floor: Durability | None = None) -> Wait | None:
        """Return what has to confirm a write; None where its answer does.

        Raises:
            Refused: the engine can't keep what is *asked* for, or the key's *floor*.
        """
        level = strictest(asked or self.default, floor)
        if level == "memory" or (level == "fsync" and self.kept != "memory"):
            return None
        if level == "replica" and self.kept == "memory" and "fsync" in (asked, floor):
            level = "replica-fsync"  # or the primary's disk, which one of both wants, had no say
        assert level  # noqa: S101  # there is a default
        if reason := self.lacking.get(level):
            raise Refused("malformed", f"{HEADER}: {level} can't be had here: {reason}.")
        return WAITS[level]


async def levels_of(redis: Redis, default: Durability) -> Levels:
    """Return the levels that the engine offers.

    Raises:
        SettingsError: it can't keep the *default*.
    """
    kept = await durability_of(redis, default)
    lacking: dict[Durability, str] = {}
    for node in await primaries(redis):
        lacking |= await _lacking(node)
    if kept != "memory":
        lacking.pop("fsync", None)
    if reason := lacking.get(default):
        raise SettingsError(
            f"WRITETHRU_DURABILITY is {default}, which the engine can't keep: {reason}; "
            "or set WRITETHRU_DURABILITY=fsync"
        )
    return Levels(default, kept, lacking)


async def _lacking(redis: Any) -> dict[Durability, str]:
    """Return why the server *redis* can't confirm levels; for replicas nobody waits."""
    found: dict[Durability, str] = {}
    for level, wait in WAITS.items():
        name, *counts, _replicas, _timeout = wait.commands[-1]
        try:
            await redis.execute_command(name, *counts, 0, 1)
        except ResponseError as error:
            found[level] = f"the engine ({place(redis)}) {_why(str(name), str(error))}"
    return found


def _why(command: str, error: str) -> str:
    if "unknown command" in error.lower():
        return f"has no {command}; take Redis 7.2, Valkey, or a later one"
    if "appendonly" in error.lower():
        return "has appendonly no; give it appendonly yes"
    if "permission" in error.lower():
        return f"lets its user not {command}; give it +@blocking, as writethru acl does"
    return f"refuses {command} ({error})"


async def durability_of(redis: Redis, wanted: Durability) -> str:
    """Return the level that a write alone is kept at; `unverified` where the engine won't say.

    Every server that takes writes is asked.

    Raises:
        SettingsError: one of them says that it can't keep *wanted*.
    """
    if wanted == "memory":
        return wanted
    kept = [await _kept(node, wanted) for node in await primaries(redis)]
    if all(kept):
        return "fsync"
    _log.warning("durability.unverified", remedy="see that the engine has these", **NEEDED)
    return UNVERIFIED


async def _kept(redis: Redis, wanted: Durability) -> bool:
    """Whether the server *redis* says that it keeps *wanted*; False where it won't say."""
    try:
        reply = await redis.config_get(*NEEDED)
    except ResponseError:
        reply = {}
    found = {_text(name): _text(value) for name, value in reply.items()}
    if not found.keys() >= NEEDED.keys():
        return False
    if lacking := [f"{name} {found[name]}" for name in NEEDED if found[name] != NEEDED[name]]:
        needed = ", ".join(f"{name} {value}" for name, value in NEEDED.items())
        raise SettingsError(
            f"WRITETHRU_DURABILITY is {wanted}, which the engine ({place(redis)}) can't keep: it "
            f"has {', '.join(lacking)}; give it {needed}, or set WRITETHRU_DURABILITY=memory"
        )
    return True


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
