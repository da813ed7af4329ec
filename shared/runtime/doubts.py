"""What a service says of its engine when it starts: no reason not to, but somebody's to mend.

`writethru doctor` says it, too, and more.
"""

from __future__ import annotations

from contextlib import suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.runtime.default_user import judge, read_default_user
from shared.runtime.redis import place, primaries
from shared.runtime.skew import SKEW_SECONDS, skew_of

_log = structlog.get_logger()


async def tell_doubts(redis: Redis) -> None:
    """Log what is doubtful; what the engine does not tell is none of it."""
    with suppress(RedisError, OSError):
        for server in await primaries(redis):
            await _tell(server)


async def _tell(server: Redis) -> None:
    log = _log.bind(engine=place(server))
    skew = await skew_of(server)
    if abs(skew) >= SKEW_SECONDS:
        log.warning("clock.skewed", seconds=round(skew, 1), remedy="keep both machines by NTP")
    user = await read_default_user(server) if _by_default(server) else None
    if user is not None and (verdict := judge(user)).level != "ok":
        log.warning("engine.open", reason=verdict.detail, remedy=verdict.remedy)


def _by_default(redis: Redis) -> bool:
    """Whether we come in as `default`; any other user may not ask, and would be noted for it."""
    return redis.connection_pool.connection_kwargs.get("username") in (None, "default")
