"""Reading what render has committed, with an end to patience: a silent engine is an error soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.article.article import Head, Mark
from shared.article.formats import json
from shared.article.stored import load_head
from shared.contract.canonical import short
from shared.contract.errors import Busy
from shared.runtime.archive import Archive
from shared.runtime.lanes import Lanes
from shared.runtime.marked import Marked
from shared.runtime.redis import LOST
from shared.runtime.shelf import Shelves
from shared.runtime.snapshots import Snapshots

#: How many requests may use the engine at once; each has a connection meanwhile.
TURNS = 64
PATIENCE_SECONDS = 4.0
_SILENT: tuple[type[Exception], ...] = (*LOST, TimeoutError)


@dataclass(frozen=True, slots=True)
class Stand:
    """Which content an article has now: equal stands have equal bytes."""

    version: int
    chain: str
    rev: int
    refolded: int = 0

    @property
    def mark(self) -> Mark:
        """Where a reader of this content is."""
        return Mark(self.version, short(self.chain))


class Reading:
    """The engine as deliver sees it. Every method raises Busy when it does not answer.

    *snapshots* reads articles, and *marked* what their lists are made of; use them inside
    `patience`.
    """

    def __init__(self, redis: Redis, lanes: Lanes, archive: Archive | None = None) -> None:
        self.lanes = lanes
        self.archive = archive
        self.snapshots = Snapshots(redis, lanes, shelves=Shelves(archive))
        self.marked = Marked(redis, lanes, self.snapshots)
        self._redis = redis
        self._turns = asyncio.Semaphore(TURNS)

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Take a turn at the engine, and wait for it only so long.

        Raises:
            Busy: it did not answer.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._turns:
                yield
        except _SILENT:
            raise Busy("The articles can't be read at the moment; try again shortly.") from None

    async def stand(self, slug: str) -> Stand | None:
        """Return what *slug* is at; None where nothing has been rendered."""
        return (await self.stands([slug]))[0]

    async def stands(self, slugs: Sequence[str]) -> list[Stand | None]:
        """Return what each of *slugs* is at, in their order."""
        async with self.patience(), self._redis.pipeline(transaction=False) as asked:
            for slug in slugs:
                asked.hmget(self.lanes.of(slug).article(slug).state, _STAND)
            return [_stand(*facts) for facts in await asked.execute()]

    async def newest(self, count: int) -> tuple[list[tuple[int, str]], int]:
        """Return the *count* articles updated last, as (when, slug), and how many there are."""
        async with self.patience(), self._redis.pipeline(transaction=False) as asked:
            for lane in self.lanes:
                asked.zrevrange(lane.latest, 0, count - 1, withscores=True)
                asked.zcard(lane.latest)
            answers: list[Any] = await asked.execute()
        ranked = [(int(score), slug.decode()) for found in answers[0::2] for slug, score in found]
        return sorted(ranked, reverse=True)[:count], sum(answers[1::2])

    async def heads(self, slugs: Sequence[str]) -> list[Head]:
        """Return the heads of those of *slugs* that may be shown, in their order."""
        found = await self._heads(slugs)
        return [head for head in found if head.status in ("live", "closed")]

    async def killed(self, slugs: Iterable[str]) -> dict[str, bytes]:
        """Return what is left of those of *slugs* that were killed: their public heads."""
        heads = await self._heads(sorted(set(slugs)))
        return {
            head.slug: json.dumps(json.killed(head)) for head in heads if head.status == "killed"
        }

    async def _heads(self, slugs: Sequence[str]) -> list[Head]:
        async with self.patience(), self._redis.pipeline(transaction=False) as asked:
            for slug in slugs:
                asked.hget(self.lanes.of(slug).article(slug).state, "head")
            return [load_head(data) for data in await asked.execute() if data]


_STAND = ("version", "chain", "rev", "refolded")


def _stand(
    version: bytes | None, chain: bytes | None, rev: bytes | None, refolded: bytes | None
) -> Stand | None:
    if not version or not chain:
        return None
    return Stand(int(version), chain.decode(), int(rev or 0), int(refolded or 0))
