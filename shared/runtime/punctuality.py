"""How many articles keep the promise on their pages, and which of them don't."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from shared.runtime.lanes import Lanes


@dataclass(frozen=True, slots=True)
class Late:
    """An article that is overdue."""

    article: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Punctual:
    """Live articles with a cadence, by how they keep to it; *late* are some of those overdue.

    Those that are overdue for longest stand first.
    """

    on_time: int = 0
    due: int = 0
    overdue: int = 0
    late: tuple[Late, ...] = ()


async def read_punctual(redis: Redis, lanes: Lanes, most: int = 0) -> Punctual:
    """Look at every lane, by the engine's clock; name at most *most* that are overdue."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.time()  # of the node that has the lane
            asked.zcard(lane.due)
            asked.zcard(lane.overdue)
            asked.zrange(lane.overdue, 0, max(most - 1, 0), withscores=True)
        first: list[Any] = await asked.execute()
    times, every, known, named = (first[n::4] for n in range(4))
    async with redis.pipeline(transaction=False) as asked:
        for lane, (seconds, micros) in zip(lanes, times, strict=True):
            now = seconds * 1_000 + micros // 1_000
            asked.zcount(lane.due, "-inf", now)
            asked.zcount(lane.promised, "-inf", now)
        then: list[int] = await asked.execute()
    past, unknown = then[0::2], then[1::2]
    overdue = sum(unknown) + sum(known)
    late = sorted((since, slug.decode()) for some in named for slug, since in some)[:most]
    return Punctual(
        on_time=max(sum(every) - sum(past), 0),
        due=max(sum(past) - overdue, 0),
        overdue=overdue,
        late=tuple(Late(slug, datetime.fromtimestamp(ms / 1e3, UTC)) for ms, slug in late),
    )
