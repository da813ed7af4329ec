"""The engine's append-only file, written anew from what is in memory now."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.runtime.clock import monotonic

PAUSE_SECONDS = 0.1
#: A file of many gigabytes takes minutes.
PATIENCE_SECONDS = 600.0

Rewritten = Literal["rewritten", "none", "unverified"]


class RewriteError(OSError):
    """The file was not written anew; the old one, with all that was in it, is there still."""


async def rewrite_file(redis: Redis) -> Rewritten:
    """Have the file written anew, and wait until it is.

    `none` where the engine keeps no such file, `unverified` where it doesn't let us: whoever runs
    it must see to it there.

    Raises:
        RewriteError: it failed, or takes too long.
    """
    try:
        before = await redis.info("persistence")
        if not before["aof_enabled"]:
            return "none"
        await _begin(redis)
    except (NoPermissionError, LookupError):
        return "unverified"
    limit = monotonic() + PATIENCE_SECONDS
    while (facts := await redis.info("persistence"))["aof_rewrite_in_progress"] or _waits(facts):
        if monotonic() > limit:
            raise RewriteError("the engine does not get done with writing its file anew")
        await asyncio.sleep(PAUSE_SECONDS)
    if facts["aof_last_bgrewrite_status"] != "ok":
        raise RewriteError("the engine could not write its file anew; see its log")
    return "rewritten"


def _waits(facts: Any) -> bool:
    return bool(facts["aof_rewrite_scheduled"])


async def _begin(redis: Redis) -> None:
    """Begin, after a rewrite that is under way: that one began before the text was gone."""
    while True:
        try:
            await redis.bgrewriteaof()
        except NoPermissionError:
            raise
        except ResponseError as error:
            if "in progress" not in str(error):
                raise
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
