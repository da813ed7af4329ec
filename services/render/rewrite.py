"""The engine's append-only file, written anew from what is in memory now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.runtime.clock import monotonic
from shared.runtime.redis import servers

PAUSE_SECONDS = 0.1
#: A file of many gigabytes takes minutes.
PATIENCE_SECONDS = 600.0

Rewritten = Literal["rewritten", "none", "unverified"]
_WORST: tuple[Rewritten, ...] = ("unverified", "none", "rewritten")


class RewriteError(OSError):
    """The file was not written anew; the old one, with all that was in it, is there still."""


async def rewrite_files(redis: Redis) -> Rewritten:
    """Have every server's file written anew, and wait until they are; replicas have one, too.

    Returns and raises what `rewrite_file` does, the worst of it.
    """
    nodes = await servers(redis)
    if len(nodes) > 1:
        await _replicated(nodes)
    results = {await rewrite_file(node) for node in nodes}
    return next(each for each in _WORST if each in results)


async def _replicated(nodes: Sequence[Redis]) -> None:
    """Wait until replicas have all that their primaries have now."""
    offsets: dict[str, int] = {}
    for node in nodes:
        facts = await node.info("replication")
        if facts["role"] == "master":
            offsets[facts["master_replid"]] = facts["master_repl_offset"]
    limit = monotonic() + PATIENCE_SECONDS
    for node in nodes:
        while not _has(await node.info("replication"), offsets):
            if monotonic() > limit:
                raise RewriteError("a replica does not get what its primary has")
            await asyncio.sleep(PAUSE_SECONDS)


def _has(facts: Any, offsets: Mapping[str, int]) -> bool:
    if facts["role"] == "master":
        return True
    return bool(facts["slave_repl_offset"] >= offsets.get(facts["master_replid"], inf))


async def rewrite_file(redis: Redis) -> Rewritten:
    """Have one server's file written anew, and wait until it is.

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
