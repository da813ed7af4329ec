"""How many sources are pulled on a cadence, how many of them fail, and whether they are late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.runtime.lanes import Lanes

#: Beside the next tick of each lane there may be slugs whose ticks are to be planned.
_FIRST = 20


@dataclass(frozen=True, slots=True)
class Pulls:
    """All lanes together; *late* is for how many seconds a tick has been due at most."""

    sources: int = 0
    failing: int = 0
    late: float = 0.0


async def read_pulls(redis: Redis, lanes: Lanes) -> Pulls:
    """Look at every lane, by the engine's clock. Raises RedisError."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.time()  # of the node that has the lane
            asked.zcard(lane.ticks)
            asked.zcard(lane.failing)
            asked.zrange(lane.ticks, 0, _FIRST - 1, withscores=True)
        answers: list[Any] = await asked.execute()
    times, many, failing, first = (answers[n::4] for n in range(4))
    late = [
        seconds + micros / 1e6 - due / 1e3
        for (seconds, micros), some in zip(times, first, strict=True)
        for who, due in some
        if b" " in who
    ]
    return Pulls(sum(many), sum(failing), max([0.0, *late]))
