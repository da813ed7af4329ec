"""All that an engine holds, for tests that something leaves no trace in it."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis


async def contents(redis: Redis, pattern: str = "*") -> dict[bytes, bytes]:
    """Return every key that fits *pattern*, with its value as the engine would move it."""
    held: dict[bytes, bytes] = {}
    keys: Any = await redis.keys(pattern)
    for key in keys:
        value = await redis.dump(key)
        assert value is not None
        held[key] = value
    return held
