"""Keeps room on the disk of our own engine, by refusing events before there is none.

An engine that can't write what it has promised to keep ends at once, and again after each start. So
while the disk is nearly full it is told that it has no memory left, which it and everybody who
writes to it knows how to bear: it refuses what would add something, and goes on with all else.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.cli.finding import size
from shared.runtime.engine import Engine

#: More than the engine writes between two looks, and than refused work adds in an outage.
RESERVE_BYTES = 32 * 1024 * 1024
#: What has to be free before events are taken again, or it would go to and fro.
ENOUGH_BYTES = 2 * RESERVE_BYTES

_NOTHING, _NO_LIMIT = 1, 0


class DiskGuard:
    """Watches over the disk of *engine*; tells people by *say*."""

    def __init__(self, engine: Engine, say: Callable[[str], None]) -> None:
        self._engine, self._say = engine, say
        self._full = False
        self._told: tuple[int, bool] | None = None

    def look(self) -> None:
        """See how much is free, and tell the engine if need be, which must be running."""
        free = shutil.disk_usage(self._engine.log.parent).free
        full = free < (ENOUGH_BYTES if self._full else RESERVE_BYTES)
        if full != self._full:
            self._say(_what(full, free))
            self._full = full
        # A server that was started anew has forgotten.
        if full or self._told:
            now = self._engine.pid, full
            if now != self._told and self._tell():
                self._told = now if full else None

    def _tell(self) -> bool:
        client: redis.Redis = redis.Redis.from_url(
            self._engine.url, protocol=2, socket_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        with contextlib.closing(client), contextlib.suppress(redis.RedisError):
            return bool(client.config_set("maxmemory", _NOTHING if self._full else _NO_LIMIT))
        return False


def _what(full: bool, free: int) -> str:
    if full:
        return (
            f"only {size(free)} are free where the engine keeps its data; "
            f"events are refused as busy until it is {size(ENOUGH_BYTES)}"
        )
    return f"{size(free)} are free where the engine keeps its data; events are taken again"
