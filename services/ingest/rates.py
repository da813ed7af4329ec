"""How often a key may file: events are counted by the minute, in the engine, so by all together."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.contract.access import Allowance
from shared.contract.errors import Busy, Refused, TooOften
from shared.runtime.keys import filed

WINDOW_SECONDS = 60
#: As the door waits for the engine.
PATIENCE_SECONDS = 5.0


class Rates:
    """Counts what keys with an allowance file; others cost nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def spend(self, allowance: Allowance | None, many: int) -> None:
        """Count *many* events that a request would file, all of them or none.

        Raises:
            Refused: more than there may be in a minute, so that they never fit.
            TooOften: more than there may still be in this minute.
            Busy: the engine doesn't say.
        """
        if allowance is None or not many:
            return
        if many > allowance.events:
            detail = f"The request has {many} events, and its key may file {allowance.events} a "
            raise Refused("too-large", f"{detail}minute; send fewer at a time.")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                after = await self._count(filed(allowance.key_id), many, allowance.events)
        except (RedisError, OSError) as error:  # a TimeoutError is among the latter
            raise Busy("The rate of the key can't be read; nothing was stored.") from error
        if after is not None:
            raise TooOften(f"The key may file {allowance.events} events a minute.", after)

    async def _count(self, counter: str, many: int, most: int) -> int | None:
        """Add *many*; where that is too many take it back, and return when there is room again."""
        async with self._redis.pipeline(transaction=True) as step:
            step.incrby(counter, many)
            step.expire(counter, WINDOW_SECONDS, nx=True)
            step.ttl(counter)
            spent, _, seconds = await step.execute()
        if spent <= most:
            return None
        await self._redis.decrby(counter, many)
        return max(1, int(seconds))
