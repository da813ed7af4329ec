"""What an accepted event survives, as the engine is set, not as anybody hopes."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.runtime.redis import place, primaries
from shared.runtime.settings import Durability, SettingsError

#: What `fsync` takes: each write on disk before its answer, and nothing ever evicted.
NEEDED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}

UNVERIFIED = "unverified"

_log = structlog.get_logger()


async def durability_of(redis: Redis, wanted: Durability) -> str:
    """Return the level that receipts may name; `unverified` where the engine won't say.

    Every server that takes writes is asked.

    Raises:
        SettingsError: one of them says that it can't keep *wanted*.
    """
    if wanted == "memory":
        return wanted
    kept = [await _kept(node, wanted) for node in await primaries(redis)]
    if all(kept):
        return wanted
    _log.warning("durability.unverified", remedy="see that the engine has these", **NEEDED)
    return UNVERIFIED


async def _kept(redis: Redis, wanted: Durability) -> bool:
    """Whether the server *redis* says that it keeps *wanted*; False where it won't say."""
    try:
        reply = await redis.config_get(*NEEDED)
    except ResponseError:
        reply = {}
    found = {_text(name): _text(value) for name, value in reply.items()}
    if not found.keys() >= NEEDED.keys():
        return False
    if lacking := [f"{name} {found[name]}" for name in NEEDED if found[name] != NEEDED[name]]:
        needed = ", ".join(f"{name} {value}" for name, value in NEEDED.items())
        raise SettingsError(
            f"WRITETHRU_DURABILITY is {wanted}, which the engine ({place(redis)}) can't keep: it "
            f"has {', '.join(lacking)}; give it {needed}, or set WRITETHRU_DURABILITY=memory"
        )
    return True


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
