"""Readiness, in words: whether a service should be sent work, and if not, why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.runtime.backlog import read_behind
from shared.runtime.lanes import Lanes

#: An article that waits longer for its page is news to whoever runs this.
MAX_LAG_SECONDS = 10.0
#: Whoever asks has less patience than our client, which waits for an engine to restart.
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to be so, and how it is."""

    ok: bool
    detail: str


async def check_engine(redis: Redis, lanes: Lanes) -> dict[str, Check]:
    """Look whether the engine answers, and whether pages keep up with the ledger."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            seconds = max(lane.seconds for lane in await read_behind(redis, lanes))
    except (RedisError, OSError, TimeoutError) as error:
        return {"engine": Check(False, f"does not answer ({type(error).__name__})")}
    late = seconds >= MAX_LAG_SECONDS
    detail = f"the article that has waited longest for its page has waited {seconds:.1f} s"
    if late:
        detail += f", and {MAX_LAG_SECONDS:g} s is the limit; see that render runs"
    return {"engine": Check(True, "answers"), "lag": Check(not late, detail)}


def report(checks: Mapping[str, Check]) -> tuple[int, bytes]:
    """Return the status and the JSON that answer `/readyz`."""
    ready = all(check.ok for check in checks.values())
    document: dict[str, Any] = {
        "ready": ready,
        "checks": {name: asdict(check) for name, check in checks.items()},
    }
    return (200 if ready else 503), orjson.dumps(document)
