"""Has each subscription told what it lacks, on its own: none waits for another's endpoint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.deliver.faults import described
from services.deliver.webhooks.announcing import Announcing
from services.deliver.webhooks.claims import AT_ONCE, Job, claim
from services.deliver.webhooks.delivery import Delivery
from services.deliver.webhooks.registry import Registry, Subscribed
from shared.contract.errors import TryAgain
from shared.runtime.clock import monotonic
from shared.runtime.keys import SUBSCRIPTIONS_TESTS

#: How many messages a process has out at once, fewer than the way out has connections: those
#: to endpoints that fail, which take long, and those to others.
OUT, OUT_FAILING = 64, 32

log = structlog.get_logger()


@dataclass(slots=True)
class Gate:
    """Counts what is out, so that endpoints that fail leave room for those that don't."""

    out: int = 0
    out_failing: int = 0

    def room(self, *, failing: bool) -> int:
        """Return how many more may go out."""
        return max(OUT_FAILING - self.out_failing if failing else OUT - self.out, 0)

    def move(self, by: int, *, failing: bool) -> None:
        """Note that some have gone out, or come back."""
        if failing:
            self.out_failing += by
        else:
            self.out += by


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an article is taken for, and how often is looked whether one is due, in seconds.

    A lease is longer than reading, sending and settling may take together.
    """

    lease: float = 30.0
    look: float = 1.0
    look_seldom: float = 5.0


class Courier:
    """One per process."""

    def __init__(
        self,
        redis: Redis,
        registry: Registry,
        announcing: Announcing,
        delivery: Delivery,
        timing: Timing,
    ) -> None:
        self._redis = redis
        self._registry = registry
        self._announcing = announcing
        self._delivery = delivery
        self._timing = timing
        self._gate = Gate()
        self._rounds: dict[str, _Round] = {}
        self._tests: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout(self._timing.look):
                        await self._announcing.news.wait()
                    self._announcing.news.clear()
                    woken = True
                except TimeoutError:
                    woken = False
                self._begin_and_end(woken)
                await self._take_test()
        finally:
            tasks = [each.task for each in self._rounds.values()]
            for task in (*tasks, *self._tests):
                task.cancel()
            await asyncio.gather(*tasks, *self._tests, return_exceptions=True)

    def _begin_and_end(self, woken: bool) -> None:
        """Have a round for each subscription that there is, and for no other."""
        wanted = self._registry.subscribed
        for gone in self._rounds.keys() - wanted.keys():
            self._rounds.pop(gone).task.cancel()
        for name, subscribed in wanted.items():
            its = self._rounds.get(name)
            if its is None:
                its = _Round(self._redis, subscribed, self._delivery, self._timing, self._gate)
                self._rounds[name] = its
            its.subscribed = subscribed
            if woken:
                its.wake.set()

    async def _take_test(self) -> None:
        try:
            asked: Any = await self._redis.lpop(SUBSCRIPTIONS_TESTS)
            if not asked:
                return
            await self._registry.refresh()  # it may have been made just now
        except RedisError:
            return
        name, _, message_id = asked.decode().partition(" ")
        if subscribed := self._registry.subscribed.get(name):
            task = asyncio.create_task(self._delivery.test(subscribed, message_id))
            self._tests.add(task)
            task.add_done_callback(self._tests.discard)


class _Round:
    """One subscription's deliveries in this process."""

    def __init__(
        self,
        redis: Redis,
        subscribed: Subscribed,
        delivery: Delivery,
        timing: Timing,
        gate: Gate,
    ) -> None:
        self.subscribed = subscribed
        self.wake = asyncio.Event()
        self._redis = redis
        self._delivery = delivery
        self._timing = timing
        self._gate = gate
        self._failing = False
        self._out: set[asyncio.Task[None]] = set()
        self._soon = monotonic()
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while True:
                self.wake.clear()
                try:
                    await self._take()
                except Exception as error:  # noqa: BLE001 -- or it would hear no more
                    _note(error)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience()):
                        await self.wake.wait()
        finally:
            for task in self._out:
                task.cancel()
            await asyncio.gather(*self._out, return_exceptions=True)

    async def _take(self) -> None:
        room = min(AT_ONCE - len(self._out), self._gate.room(failing=self._failing))
        if room and self.subscribed.open:
            for job in await claim(self._redis, self.subscribed, room, self._timing.lease):
                self._failing = job.failing
                task = asyncio.create_task(self._tell(job))
                self._out.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._out.discard(task)
        self._soon = monotonic() + 12 * self._timing.look_seldom
        self.wake.set()

    def _patience(self) -> float:
        """Look often for a while after something was sent, which may be due again."""
        lively = monotonic() < self._soon
        return self._timing.look if lively else self._timing.look_seldom

    async def _tell(self, job: Job) -> None:
        self._gate.move(1, failing=job.failing)
        try:
            await self._delivery.tell(self.subscribed, job)
        except Exception as error:  # noqa: BLE001 -- the lease ends, and it is tried again
            _note(error)
        finally:
            self._gate.move(-1, failing=job.failing)


def _note(error: Exception) -> None:
    if not isinstance(error, (RedisError, OSError, TryAgain)):
        log.error("webhooks.failed", **described(error))
