"""Answers made once: for all who ask at the same moment, and for later while there is room."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

from shared.runtime.metrics import count


class Sized(Protocol):
    """What can be kept: it says how many bytes it holds."""

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        ...


Kind = TypeVar("Kind", bound=Sized)


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

    def _keep(self, key: Hashable, answer: Kind) -> None:
        if answer.size > self._limit:
            return
        self._answers[key] = answer
        self._size += answer.size
        while self._size > self._limit:
            _, oldest = self._answers.popitem(last=False)
            self._size -= oldest.size


def _look_at(task: asyncio.Task[Kind]) -> None:
    """Take note of a failure for which nobody waits any more, or asyncio would report it."""
    if not task.cancelled():
        task.exception()
