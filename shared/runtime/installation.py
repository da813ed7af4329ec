"""What one installation is: its lanes, its key, its schema. Made once, by whoever comes first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from shared.runtime.clock import new_key
from shared.runtime.cluster import Cluster
from shared.runtime.doubts import tell_doubts
from shared.runtime.engine_url import WrongEngineError
from shared.runtime.keys import LANES, META
from shared.runtime.lanes import Lanes, choose_tags
from shared.runtime.redis import LOST, place
from shared.runtime.settings import SettingsError
from shared.runtime.tls import hints, misfit

SCHEMA = 1
PAUSE_SECONDS = 0.5

_log = structlog.get_logger()

#: Fills an empty list in one step: two services may start at the same moment.
_FILL = """
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('RPUSH', KEYS[1], unpack(ARGV)) end
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """The facts that every service shares. *key* makes fingerprints that outsiders can't."""

    lanes: Lanes
    key: bytes


async def open_installation(redis: Redis, lanes: int) -> Installation:
    """Read the installation in *redis*, or make it; whoever may only read needs one that is there.

    Raises:
        SettingsError: it was made with another number of lanes, or by a newer writethru; or the
            engine is not of the kind that the URL says.
    """
    await check_kind(redis)
    facts, tags = await _read(redis)
    if not tags or None in facts:
        await _make(redis, lanes)
        facts, tags = await _read(redis)
    if len(tags) != lanes:
        raise SettingsError(
            f"WRITETHRU_LANES is {lanes}, but this installation has {len(tags)} lanes; "
            f"set it to {len(tags)}"
        )
    key, schema = facts
    if int(schema) > SCHEMA:
        raise SettingsError(
            f"this installation's schema is {int(schema)}, and this writethru knows {SCHEMA}; "
            "start a newer writethru"
        )
    return Installation(Lanes(tuple(tags)), bytes.fromhex(key.decode()))


async def check_kind(redis: Redis) -> None:
    """See that the engine is what the URL says: alone, with sentinels, or a cluster.

    Raises:
        SettingsError: it is not.
    """
    try:
        info = await redis.info("cluster")
    except WrongEngineError as error:
        raise SettingsError(f"WRITETHRU_REDIS_URL: {error}") from None
    except ResponseError:  # some managed engines keep it to themselves
        return
    if info.get("cluster_enabled") and not isinstance(redis, Cluster):
        raise SettingsError(
            f"WRITETHRU_REDIS_URL: {place(redis)} is one node of a cluster; "
            f"write redis+cluster://{place(redis)}"
        )


async def _read(redis: Redis) -> tuple[list[Any], list[str]]:
    """Return key and schema, None for what is missing, and the lanes' tags."""
    async with redis.pipeline(transaction=False) as reads:
        reads.hmget(META, ["key", "schema"])
        reads.lrange(LANES, 0, -1)
        facts, tags = await reads.execute()
    return facts, [tag.decode() for tag in tags]


async def _make(redis: Redis, lanes: int) -> None:
    await redis.hsetnx(META, "key", new_key().hex())
    await redis.hsetnx(META, "schema", str(SCHEMA))
    await redis.eval(_FILL, 1, LANES, *choose_tags(lanes))


async def await_installation(redis: Redis, lanes: int) -> Installation:
    """Open the installation as soon as the engine answers, however long that takes.

    Raises:
        SettingsError: as `open_installation`, or the engine doesn't let us in or isn't the one.
    """
    while True:
        try:
            installation = await open_installation(redis, lanes)
            await tell_doubts(redis)
            return installation
        except (AuthenticationError, NoPermissionError) as error:
            raise SettingsError(
                f"WRITETHRU_REDIS_URL: the engine refuses us ({error}); give it the user and "
                "password of one who may"
            ) from None
        except LOST as error:
            if wrong := misfit(error):
                raise SettingsError(wrong) from None
            _log.warning("engine.awaited", reason=type(error).__name__, **hints(redis, error))
            await asyncio.sleep(PAUSE_SECONDS)
