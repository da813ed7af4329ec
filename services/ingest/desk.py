"""What editors do with held events: look at them, release them, spike them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from services.ingest.core.holding import Held, read_holds
from services.ingest.release import RELEASE, Outcome, release
from shared.runtime.keys import Lane
from shared.runtime.lanes import Lanes
from shared.runtime.scripts import Script

#: The files of the script that spikes what an editor names.
SPIKE = ("filing.lua", "spike.lua")
#: The files of the script that holds what was held elsewhere.
TAKE = ("filing.lua", "take_held.lua")


class Desk:
    """All held events of an installation."""

    def __init__(self, redis: Redis, lanes: Lanes) -> None:
        self._redis = redis
        self._lanes = lanes
        self._release = Script("services.ingest", *RELEASE)
        self._spike = Script("services.ingest", *SPIKE)
        self._take = Script("services.ingest", *TAKE)

    async def held(self) -> list[Held]:
        """Return what is held, article by article, what is due first before the others.

        Raises:
            ValueError: the record of one can't be read.
        """
        found = [each for lane in self._lanes for each in await self._held_in(lane)]
        first: dict[str, float] = {}
        for each in found:
            first[each.article] = min(each.at, first.get(each.article, each.at))
        return sorted(found, key=lambda each: (first[each.article], each.article, each.order))

    async def records(self) -> list[tuple[str, str, bytes]]:
        """Return the article, name and record of all that is held, by article as it was filed."""
        return [
            (slug, each.name, records[each.name.encode()])
            for lane in self._lanes
            for slug, records in await self._records_in(lane)
            for each in read_holds(slug, records)
        ]

    async def take(self, slug: str, name: str, record: bytes) -> bool:
        """Hold what another installation held; False if it is known here."""
        keys = self._lanes.of(slug).article(slug)
        return bool(await self._take.run(self._redis, keys.filing, (slug, name, record)))

    async def _held_in(self, lane: Lane) -> list[Held]:
        found = await self._records_in(lane)
        return [each for slug, records in found for each in read_holds(slug, records)]

    async def _records_in(self, lane: Lane) -> list[tuple[str, dict[bytes, bytes]]]:
        slugs: Any = await self._redis.zrange(lane.held, 0, -1)
        async with self._redis.pipeline(transaction=False) as asked:
            for slug in slugs:
                asked.hgetall(lane.article(slug.decode()).holds)
            answers = await asked.execute()
        return [(slug.decode(), records) for slug, records in zip(slugs, answers, strict=True)]

    async def release(self, held: Held) -> list[Outcome]:
        """Release *held* now, and what builds on it; return what became of which.

        What is stopped loses its stop; an embargo beside that stands, and is broken by another
        release.
        """
        lane = self._lanes.of(held.article)
        return await release(self._redis, self._release, lane, held.article, held.name)

    async def spike(self, held: Held) -> Sequence[str]:
        """Take *held* out for good, and what builds on it; return the names of all of it."""
        keys = self._lanes.of(held.article).article(held.article)
        found: Any = await self._spike.run(self._redis, keys.filing, (held.article, held.name))
        return [name.decode() for name in found]
