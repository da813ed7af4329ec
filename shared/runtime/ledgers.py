"""Reading ledgers, wherever they are: every reader of events beyond a script goes through here."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.runtime.archive import Archive
from shared.runtime.lanes import Lanes
from shared.runtime.shelf import Shelves


class Ledgers:
    """All ledgers of an installation: in the engine, and in the *archive* if there is one."""

    def __init__(self, redis: Redis, lanes: Lanes, archive: Archive | None = None) -> None:
        self._redis = redis
        self._lanes = lanes
        self._shelves = Shelves(archive)

    async def read(self, slug: str, after: int, to: int) -> list[bytes]:
        """Return the entries of *slug* beyond seq *after* up to seq *to*, as far as there are any.

        An entry is as append wrote it; `shared.article.stored` reads it. Ask for some hundred at
        a time: the engine does nothing else meanwhile.

        Raises:
            RedisError: the engine refused or stayed silent.
            Busy: they are in the archive, and can't be read there.
        """
        if to <= after:
            return []
        keys = self._lanes.of(slug).article(slug)
        async with self._redis.pipeline(transaction=True) as step:
            step.lrange(keys.ledger, after, to - 1)
            step.hget(keys.state, "archived")
            found, archived = await step.execute()
        if archived and len(found) < to - after:
            # An article that is just being brought back has the beginning in the engine.
            contents = await self._shelves.contents(archived.decode())
            found += contents.records[after + len(found) : to]
        return list(found)
