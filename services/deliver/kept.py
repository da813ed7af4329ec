"""Answers made once: for all who ask at the same moment, and for later while there is room.

Between the question where an article stands and the reading of it, the article may move on, or an
engine take over that had heard less. What was read then is not of the stand that it was asked for
by, and that stand may come again: what was lost is filed again, and an article has the same
version and chain as before. So `KeptAt` keeps an answer only if it is of its stand.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar, cast

from services.deliver.reading import Stand
from shared.article.article import Mark
from shared.runtime.metrics import count


class Sized(Protocol):
    """What can be kept: it says how many bytes it holds."""

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        ...


class Marked(Sized, Protocol):
    """What is of an article; *mark* says of which version in which history."""

    @property
    def mark(self) -> Mark:
        """Where a reader of it is."""
        ...


Kind = TypeVar("Kind", bound=Sized)
MarkedKind = TypeVar("MarkedKind", bound=Marked)


class Kept(Generic[Kind]):
    """The answers used last, up to *limit* bytes; a key must name its content for ever.

    *name* is the cache's in the metrics.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._size = 0
        self._answers: OrderedDict[Hashable, Kind] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[Kind]] = {}

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return self._size

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Kind]]) -> Kind:
        """Return the answer for *key*, made by *make* if need be; its errors reach all who wait."""
        if (answer := self._answers.get(key)) is not None:
            self._answers.move_to_end(key)
            self._count("hit")
            return answer
        task = self._making.get(key)
        self._count("shared" if task else "made")
        if task is None:
            task = asyncio.create_task(self._make(key, make))
            task.add_done_callback(_look_at)
            self._making[key] = task
        # Shielded: that one reader went away must not take the answer from the others.
        return await asyncio.shield(task)

    def _count(self, result: str) -> None:
        count("writethru_cache_lookups_total", cache=self._name, result=result)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Kind]]) -> Kind:
        try:
            answer = await make()
        finally:
            del self._making[key]
        self._keep(key, answer)
        return answer

    def _may_keep(self, _key: Hashable, _answer: Kind) -> bool:
        return True

    def _keep(self, key: Hashable, answer: Kind) -> None:
        if answer.size > self._limit or not self._may_keep(key, answer):
            return
        self._answers[key] = answer
        self._size += answer.size
        while self._size > self._limit:
            _, oldest = self._answers.popitem(last=False)
            self._size -= oldest.size


class KeptAt(Kept[MarkedKind]):
    """Answers about articles; a key is where the article stood, and what was asked of it."""

    async def at(
        self, stand: Stand, wish: Hashable, make: Callable[[], Awaitable[MarkedKind]]
    ) -> MarkedKind:
        """Return the answer to *wish*, of the article at *stand* or later; as `get` does it."""
        answer = await self.get((stand, wish), make)
        if answer.mark != stand.mark and answer.mark.version <= stand.version:
            # Another's answer, of what there was while an engine took over.
            return await make()
        return answer

    def _may_keep(self, key: Hashable, answer: MarkedKind) -> bool:
        stand, _ = cast("tuple[Stand, Hashable]", key)
        return answer.mark == stand.mark


def _look_at(task: asyncio.Task[Kind]) -> None:
    """Take note of a failure for which nobody waits any more, or asyncio would report it."""
    if not task.cancelled():
        task.exception()
