"""A lease: of several processes, one does a thing, and another when that one is gone.

What is done under it must be safe to do twice. A process that was stopped for a while may find out
only afterwards that its lease has ended, so it should ask `held` before each step.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.runtime.clock import monotonic

#: Renewals in a lease's time: as many may fail but one.
RENEWALS = 4

_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_DROP = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Lease:
    """The lease *key*, for whoever is called *name*; it ends *seconds* after its last renewal."""

    def __init__(self, redis: Redis, key: str, name: str, seconds: float = 4.0) -> None:
        self._redis = redis
        self._key = key
        self._name = name
        self.seconds = seconds
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether it is ours, as far as our own clock can tell."""
        return monotonic() < self._until

    async def take(self) -> bool:
        """Take or renew it; False if somebody else has it."""
        asked = monotonic()
        milliseconds = int(self.seconds * 1_000)
        ours = await self._redis.eval(_TAKE, 1, self._key, self._name, milliseconds)
        self._until = asked + self.seconds if ours else 0.0
        return bool(ours)

    async def keep(self) -> None:
        """Take it as soon as it is free and renew it, until cancelled; then let it go."""
        try:
            while True:
                with suppress(RedisError):  # ours ends by itself, and nobody gets it meanwhile
                    await self.take()
                await asyncio.sleep(self.seconds / RENEWALS)
        finally:
            await self._drop()

    async def _drop(self) -> None:
        self._until = 0.0
        with suppress(RedisError, TimeoutError):  # it ends by itself
            async with asyncio.timeout(1.0):
                await self._redis.eval(_DROP, 1, self._key, self._name)
