"""By how much the engine's clock differs from ours, as far as one can be sure of it."""

from __future__ import annotations

from redis.asyncio import Redis

from shared.runtime.clock import monotonic, now

#: From here on a difference shows in the times of updates, and is somebody's mistake.
SKEW_SECONDS = 1.0
TRIES = 3


async def skew_of(redis: Redis) -> float:
    """Return by how many seconds the engine is ahead, at least, by the quickest of some looks."""
    best = (float("inf"), 0.0)
    for _ in range(TRIES):
        began, at = monotonic(), now().timestamp()
        seconds, micros = await redis.time()
        took = monotonic() - began
        best = min(best, (took, seconds + micros / 1e6 - at - took / 2))
    unsure, skew = best[0] / 2, best[1]
    return max(0.0, abs(skew) - unsure) * (1 if skew > 0 else -1)
