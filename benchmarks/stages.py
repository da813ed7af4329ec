"""What one sees who reads an engine's streams: when an event is in, and when it is rendered."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from shared.runtime.installation import await_installation
from shared.runtime.redis import connect

LANES = 12
_MARK = re.compile(rb"zzq(\d+)z")


@dataclass(slots=True)
class Noted:
    """When each mark was seen in a wake-up, and when in the outbox."""

    filed: dict[int, int] = field(default_factory=dict)
    told: dict[int, int] = field(default_factory=dict)


@asynccontextmanager
async def observed(url: str) -> AsyncIterator[Noted]:
    """Note what passes through the engine at *url*, for as long as this lasts.

    An entry of the outbox has no text; it is of the last mark of its article that was filed.
    """
    noted, last = Noted(), dict[bytes, int]()
    async with connect(url) as redis, connect(url) as other:
        lanes = (await await_installation(redis, LANES)).lanes

        def filed(fields: dict[bytes, bytes], at: int) -> None:
            if found := _MARK.search(fields.get(b"data", b"")):
                last[fields[b"article"]] = int(found[1])
                noted.filed[int(found[1])] = at

        def told(fields: dict[bytes, bytes], at: int) -> None:
            if fields[b"article"] in last:
                noted.told.setdefault(last[fields[b"article"]], at)

        tasks = [
            asyncio.create_task(_follow(redis, [lane.events for lane in lanes], filed)),
            asyncio.create_task(_follow(other, [lane.changes for lane in lanes], told)),
        ]
        try:
            await asyncio.sleep(0.2)
            yield noted
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(redis: Redis, streams: list[str], note: Any) -> None:
    places: Any = {}
    for stream in streams:
        last = await redis.xrevrange(stream, count=1)
        places[stream] = last[0][0] if last else b"0"
    while True:
        found: Any = await redis.xread(places, block=1_000)
        at = time.monotonic_ns()
        for stream, entries in found:
            places[stream.decode()] = entries[-1][0]
            for _, fields in entries:
                note(fields, at)
