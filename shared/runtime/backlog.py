"""What waits in the lanes: articles behind their ledger, wake-ups, and events that are held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.runtime.keys import RENDER_GROUP
from shared.runtime.lanes import Lanes


@dataclass(frozen=True, slots=True)
class Behind:
    """One lane's articles that are behind: how *many*, and the *seconds* the oldest has waited."""

    many: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Wakeups:
    """One lane's wake-ups: those that no renderer has read, and those read and not acknowledged.

    *grouped*: the renderers' group is there.
    """

    unread: int
    pending: int
    grouped: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """One lane's held events: how *many*, and for how many seconds one is *overdue* at most."""

    many: int = 0
    overdue: float = 0.0


async def read_behind(redis: Redis, lanes: Lanes) -> list[Behind]:
    """Look at every lane's dirty articles, by the engine's clock."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.time()  # of the node that has the lane
            asked.zcard(lane.dirty)
            asked.zrange(lane.dirty, 0, 0, withscores=True)
        answers = await asked.execute()
    return [
        Behind(many, max([0.0, *(_seconds(time) - since / 1e3 for _, since in oldest)]))
        for time, many, oldest in zip(answers[0::3], answers[1::3], answers[2::3], strict=True)
    ]


async def read_lengths(redis: Redis, lanes: Lanes) -> tuple[int, int]:
    """Return how many entries the lanes' streams hold: `events` together, and `changes`."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.xlen(lane.events)
            asked.xlen(lane.changes)
        answers: list[int] = await asked.execute()
    return sum(answers[0::2]), sum(answers[1::2])


async def read_holding(redis: Redis, lanes: Lanes) -> list[Holding]:
    """Look at every lane's held events, by the engine's clock."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.time()
            asked.zrange(lane.held, 0, -1, withscores=True)
        answers = await asked.execute()
    times, articles = map(_seconds, answers[0::2]), answers[1::2]
    async with redis.pipeline(transaction=False) as asked:
        for lane, some in zip(lanes, articles, strict=True):
            for slug, _ in some:
                asked.hlen(lane.article(slug.decode()).holds)
        sizes = iter(await asked.execute())
    return [
        Holding(sum(next(sizes) for _ in some), max([0.0, *(now - due / 1e3 for _, due in some)]))
        for now, some in zip(times, articles, strict=True)
    ]


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6


def together(holding: Iterable[Holding]) -> Holding:
    """Return what lanes hold as if they were one."""
    lanes = list(holding)
    return Holding(sum(lane.many for lane in lanes), max(lane.overdue for lane in lanes))


async def read_wakeups(redis: Redis, lanes: Lanes) -> list[Wakeups]:
    """Look at every lane's wake-ups."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.xinfo_groups(lane.events)
        answers = await asked.execute(raise_on_error=False)
    return [_wakeups(answer) for answer in answers]


def _wakeups(answer: Any) -> Wakeups:
    if isinstance(answer, ResponseError) and "no such key" in str(answer):
        answer = []
    if isinstance(answer, Exception):
        raise answer
    for group in answer:
        if group["name"] == RENDER_GROUP.encode():
            # The engine does not know only where somebody has deleted entries by hand.
            return Wakeups(int(group["lag"] or 0), group["pending"], grouped=True)
    return Wakeups(0, 0, grouped=False)
