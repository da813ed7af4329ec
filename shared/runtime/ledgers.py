"""Reading ledgers, wherever they are: every reader of events beyond a script goes through here."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from shared.runtime.lanes import Lanes


class Ledgers:
    """All ledgers of an installation."""

    def __init__(self, redis: Redis, lanes: Lanes) -> None:
        self._redis = redis
        self._lanes = lanes

    async def read(self, slug: str, after: int, to: int) -> list[bytes]:
        """Return the entries of *slug* beyond seq *after* up to seq *to*, as far as there are any.

        An entry is as append wrote it; `shared.article.stored` reads it. Ask for some hundred at
        a time: the engine does nothing else meanwhile.

        Raises:
            RedisError: the engine refused or stayed silent.
        """
        if to <= after:
            return []
        found: Any = await self._redis.lrange(
            self._lanes.of(slug).article(slug).ledger, after, to - 1
        )
        return list(found)
