"""Whole histories → ledgers: an installation is given what another one had, event by event.

Nothing of an article is written before all of it was checked, and it is not there before all of
it was written: what was begun and not ended goes on where it stopped, whoever goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from redis.asyncio import Redis

from services.ingest.core.beside import Beside, beside
from shared.article.stored import link_of
from shared.runtime.archive import Archive
from shared.runtime.keys import ArticleKeys
from shared.runtime.lanes import Lanes
from shared.runtime.ledgers import Ledgers
from shared.runtime.scripts import Script

BYTES_A_STEP = 256 * 1024
FIELDS_A_STEP = 1_000

Taken = Literal["taken", "known"]


class ConflictError(Exception):
    """The installation has another history under this slug; nothing of it was touched."""


class TakingIn:
    """Takes articles' histories in."""

    def __init__(self, redis: Redis, lanes: Lanes, archive: Archive | None = None) -> None:
        self._redis = redis
        self._lanes = lanes
        self._ledgers = Ledgers(redis, lanes, archive)
        self._script = Script("services.ingest", "take_in.lua")

    async def take(self, slug: str, records: Sequence[bytes]) -> Taken:
        """Make *records* the ledger of *slug*; `known` if they are in it already.

        Raises:
            DamagedError: *records* are no history.
            ConflictError: there is another one, or somebody files events meanwhile.
        """
        whole = beside(slug, records)
        keys = self._lanes.of(slug).article(slug)
        filed, length = await self._found(keys)
        await self._check_common(slug, whole, max(filed, length))
        if filed >= whole.seq:
            return "known"
        await self._remember(keys.seen, whole.seen)
        await self._remember(keys.posted, whole.posted)
        for end, some in _portions(records, length):
            await self._put(keys, whole, (filed, length), some)
            length = end
        return "taken"

    async def _found(self, keys: ArticleKeys) -> tuple[int, int]:
        """Return how many events were filed, and how many entries there are."""
        async with self._redis.pipeline(transaction=True) as step:
            step.hget(keys.article, "seq")
            step.llen(keys.ledger)
            seq, length = await step.execute()
        return int(seq or 0), length

    async def _check_common(self, slug: str, whole: Beside, found: int) -> None:
        """See that what is there, and what is to come, are the same as far as both go."""
        last = min(found, whole.seq)
        if not last:
            return
        records = await self._ledgers.read(slug, last - 1, last)
        if not records or link_of(records[0]).chain != whole.links[last - 1].chain:
            raise ConflictError(f"{slug}: there is another article under this slug")

    async def _put(
        self, keys: ArticleKeys, whole: Beside, found: tuple[int, int], some: Sequence[bytes]
    ) -> None:
        filed, length = found
        ends = length + len(some) == whole.seq
        last = (whole.chain, whole.status or "", whole.checks) if ends else ("", "", "")
        reply = await self._script.run(
            self._redis,
            [keys.article, keys.ledger, keys.lane.dirty],
            [keys.slug, filed, length, *last, *some],
        )
        after = (whole.seq if ends else filed, length + len(some))
        # The reply to a first try may have been lost.
        if reply < 0 and await self._found(keys) != after:
            raise ConflictError(f"{keys.slug}: somebody else is filing events for it")

    async def _remember(self, key: str, facts: Mapping[str, str]) -> None:
        items = [part for pair in facts.items() for part in pair]
        for start in range(0, len(items), FIELDS_A_STEP):
            some: Any = items[start : start + FIELDS_A_STEP]
            await self._redis.hset(key, items=some)


def _portions(records: Sequence[bytes], start: int) -> Iterator[tuple[int, list[bytes]]]:
    """Cut *records* from *start* on; yield each portion with the place that it ends at.

    There is always one, if an empty one: the last says that the history is whole.
    """
    some: list[bytes] = []
    size = 0
    for place in range(start, len(records)):
        some.append(records[place])
        size += len(records[place])
        if size >= BYTES_A_STEP and place + 1 < len(records):
            yield place + 1, some
            some, size = [], 0
    yield len(records), some
