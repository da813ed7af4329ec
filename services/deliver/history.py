"""Articles as they stood, folded from their ledgers with all that was taken back since masked.

A fold of a long article takes seconds of a processor, so there is room for few at a time, each in
a thread, and none begins where one that was made for a neighbour will do.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from redis.asyncio import Redis

from services.deliver.changes import unknown
from services.deliver.folds import Folds
from services.deliver.reading import Reading
from shared.article.article import Article, Head
from shared.article.fold import continued
from shared.article.stored import link_of, load_entry, recorded_at
from shared.article.visible import TakenBack, may_take_back, taken_back, visible_entry
from shared.contract.errors import Busy
from shared.runtime.ledgers import Ledgers

#: Entries are at most 256 KiB, so at most some megabytes at a time.
ENTRIES_A_READ = 100
#: Every so many versions a fold is kept on the way.
KEPT_EVERY = 500
#: Folds at a time, and requests that wait for one.
ROOM, QUEUE = 2, 30
PATIENCE_SECONDS = 30.0
#: Articles of which it is remembered what was taken back.
REMEMBERED = 5_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the ledger of *slug* ends, and what was taken back up to there."""

    slug: str
    seq: int
    chain: str
    taken: TakenBack


class History:
    """Reads ledgers. Every method raises Busy when the engine does not answer."""

    def __init__(self, redis: Redis, reading: Reading, folds: Folds | None = None) -> None:
        self._redis = redis
        self._reading = reading
        self._ledgers = Ledgers(redis, reading.lanes, reading.archive)
        self._folds = folds or Folds()
        self._tips: OrderedDict[str, Tip] = OrderedDict()
        self._room = asyncio.Semaphore(ROOM)
        self._waiting = 0

    async def tip(self, slug: str) -> Tip:
        """Return where the ledger of *slug* ends now.

        Raises:
            Refused: there is no such article.
        """
        async with self._reading.patience():
            keys = self._reading.lanes.of(slug).article(slug)
            facts: Any = await self._redis.hmget(keys.article, "seq", "chain")
        if None in facts:
            raise unknown(slug)
        seq, chain = int(facts[0]), facts[1].decode()
        known = self._tips.get(slug, _unknown(slug))
        if known.chain != chain:
            async with self.a_place():
                known = await self._look(known, seq, chain)
        self._remember(known)
        return known

    async def version(self, tip: Tip, number: int) -> Article:
        """Return the article as it stood at version *number*, which is none beyond *tip*."""
        article = self._folds.nearest(tip.slug, tip.taken, number)
        if article.head.version == number and await self._is_ours(article.head):
            return article
        async with self.a_place():
            return await self._fold(tip, number)

    async def recorded(self, slug: str, number: int) -> datetime:
        """Return when the engine took event *number* in."""
        (record,) = await self._read(slug, number - 1, number)
        return _EPOCH + timedelta(milliseconds=recorded_at(record) or 0)

    async def number_at(self, tip: Tip, moment: datetime) -> int:
        """Return the version that the article had at *moment*, 0 before its first."""
        low, high = 0, tip.seq
        while low < high:
            middle = (low + high + 1) // 2
            if await self.recorded(tip.slug, middle) <= moment:
                low = middle
            else:
                high = middle - 1
        return low

    async def _look(self, known: Tip, seq: int, chain: str) -> Tip:
        """Go through the ledger from where we know it, if that is its history still."""
        slug = known.slug
        if known.seq >= seq or not await self._has(slug, known.seq, known.chain):
            known = _unknown(slug)
        taken = known.taken
        async for records in self._records(slug, known.seq, seq):
            events = [_event(record) for record in records if may_take_back(record)]
            taken = taken_back(filter(None, events), taken)
        self._folds.forget(slug, but=taken)
        return Tip(slug, seq, chain, taken)

    async def _fold(self, tip: Tip, number: int) -> Article:
        article = self._folds.nearest(tip.slug, tip.taken, number)
        if not await self._is_ours(article.head):
            self._folds.forget(tip.slug)
            article = self._folds.nearest(tip.slug, tip.taken, number)
        base = article.head.version
        async for records in self._records(tip.slug, base, number):
            article = await asyncio.to_thread(_further, article, records, tip.taken)
            if article.head.version % KEPT_EVERY == 0 or article.head.version == number:
                self._folds.keep(tip.taken, article, base)
                base = article.head.version
        return article

    async def _is_ours(self, head: Head) -> bool:
        return await self._has(head.slug, head.version, head.chain)

    async def _has(self, slug: str, seq: int, chain: str) -> bool:
        """Whether the ledger still has *chain* at *seq*."""
        found = await self._read(slug, seq - 1, seq) if seq else []
        return not seq or (bool(found) and link_of(found[0]).chain == chain)

    async def _records(self, slug: str, after: int, to: int) -> AsyncIterator[list[bytes]]:
        while after < to:
            end = min(to, (after // ENTRIES_A_READ + 1) * ENTRIES_A_READ)
            records = await self._read(slug, after, end)
            if len(records) != end - after:
                raise Busy(f"The history of {slug} can't be read at the moment; try again.")
            yield records
            after = end

    async def _read(self, slug: str, after: int, to: int) -> list[bytes]:
        async with self._reading.patience():
            return await self._ledgers.read(slug, after, to)

    def _remember(self, tip: Tip) -> None:
        self._tips[tip.slug] = tip
        self._tips.move_to_end(tip.slug)
        if len(self._tips) > REMEMBERED:
            self._tips.popitem(last=False)

    @asynccontextmanager
    async def a_place(self) -> AsyncIterator[None]:
        """Wait for room to fold in.

        Raises:
            Busy: there are too many who wait, or it took too long.
        """
        if self._waiting >= QUEUE:
            raise Busy("Too many versions are being put together; try again shortly.")
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._room:
                yield
        except TimeoutError:
            raise Busy("Putting this version together takes too long; try again.") from None
        finally:
            self._waiting -= 1


def _unknown(slug: str) -> Tip:
    return Tip(slug, 0, "", TakenBack())


def _further(article: Article, records: Sequence[bytes], taken: TakenBack) -> Article:
    return continued(article, [visible_entry(load_entry(each), taken) for each in records])


def _event(record: bytes) -> Mapping[str, Any] | None:
    try:
        event: Mapping[str, Any] = orjson.loads(record)["event"]
    except (ValueError, LookupError):
        return None
    return event
