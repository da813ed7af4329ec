"""What waits in the lanes: articles behind their ledger, wake-ups, and events that are held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.runtime.keys import RENDER_GROUP, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.redis import at_owner, read_together

#: Articles of a lane that are looked at one by one to say how many events wait; of more, about.
SAMPLE = 50
#: From here on an engine counts as full: what is left is for those who render.
FULL_SHARE = 0.95


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


async def read_waiting(redis: Redis, lanes: Lanes) -> int:
    """Return how many accepted events no page shows yet; in a lane with much behind, about."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.zcard(lane.dirty)
            asked.zrange(lane.dirty, 0, SAMPLE - 1)
        answers = await asked.execute()
    many, samples = answers[0::2], answers[1::2]
    async with redis.pipeline(transaction=False) as asked:
        for lane, sample in zip(lanes, samples, strict=True):
            for slug in sample:
                asked.hmget(lane.article(slug.decode()).article, "seq", "version")
        places = iter(await asked.execute())
    waiting = 0.0
    for total, sample in zip(many, samples, strict=True):
        behind = sum(_behind(*next(places)) for _ in sample)
        waiting += behind * max(total / len(sample), 1.0) if sample else 0
    return int(waiting)


def _behind(seq: bytes | None, version: bytes | None) -> int:
    return max(int(seq or 0) - int(version or 0), 0)


async def read_full(redis: Redis, lanes: Lanes) -> list[Lane]:
    """Return the lanes whose server has no more room than renderers need."""
    full: list[Lane] = []
    for together in read_together(redis, list(lanes)):
        full += together if await _is_full(redis, together) else ()
    return full


async def _is_full(redis: Redis, lanes: Sequence[Lane]) -> bool:
    facts: Any = await at_owner(redis, lanes[0].events, lambda node: node.info("memory"))
    most = int(facts.get("maxmemory") or 0)
    # What the engine keeps for its replicas and its file does not count against its limit.
    used = int(facts["used_memory"]) - int(facts.get("mem_not_counted_for_evict") or 0)
    return bool(most) and used >= most * FULL_SHARE
