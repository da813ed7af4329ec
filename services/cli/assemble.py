"""`writethru assemble`: makes one cluster of nodes that belong to none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.cli.failure import Failure, misused
from services.cli.options import settings
from services.cli.stored import RedisUrl
from shared.runtime.clock import monotonic
from shared.runtime.cluster_map import SLOTS
from shared.runtime.engine_url import parse_engine_url
from shared.runtime.redis import connect

FEWEST = 6
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Node:
    """One node: where it is, and the port on which nodes talk to each other."""

    redis: Redis
    host: str
    port: int

    async def ask(self, *words: Any) -> Any:
        node: Any = self.redis  # its commands have no types
        return await node.execute_command(*words)

    async def name(self) -> str:
        return str((await self.ask("CLUSTER", "MYID")).decode())

    async def bus(self) -> int:
        lines = (await self.ask("CLUSTER", "NODES")).decode().splitlines()
        (mine,) = (line.split()[1] for line in lines if "myself" in line)
        return int(mine.partition("@")[2].partition(",")[0])

    async def knows(self) -> int:
        return len((await self.ask("CLUSTER", "NODES")).splitlines())

    async def is_well(self) -> bool:
        facts = (await self.ask("CLUSTER", "INFO")).decode().split()
        return {"cluster_state:ok", f"cluster_slots_ok:{SLOTS}"} <= set(facts)


def command(redis_url: RedisUrl = None) -> None:
    """Make one cluster of the nodes that the engine's address names: six, or more.

    The first half become primaries and share the slots evenly, so that lanes lie on all of them;
    the second half become their replicas. Run again, it finishes what it began, and leaves a
    cluster that is whole as it is.
    """
    url = settings(redis_url=redis_url).engine_url
    asyncio.run(_assemble(url))


async def _assemble(url: str) -> None:
    engine = parse_engine_url(url)
    if engine.kind != "cluster" or len(engine.nodes) < FEWEST or len(engine.nodes) % 2:
        raise misused(
            "the address must be redis+cluster:// with six nodes or more, as many replicas as "
            "primaries"
        )
    async with AsyncExitStack() as stack:
        nodes = [
            Node(await stack.enter_async_context(connect(engine.at(*each))), *each)
            for each in engine.nodes
        ]
        try:
            whole = await nodes[0].is_well() and await nodes[0].knows() >= len(nodes)
            if not whole:
                await assemble(nodes)
        except (RedisError, OSError) as error:
            raise Failure(f"the nodes don't do as they should: {error}") from None
    many = len(nodes) // 2
    said = "is whole already" if whole else f"is made: {many} primaries, {many} replicas"
    print(f"writethru: the cluster {said}")


async def assemble(nodes: Sequence[Node]) -> None:
    """Give the first half of *nodes* the slots, and each a replica of the second half.

    Raises:
        Failure: they don't come together.
    """
    many = len(nodes) // 2
    primaries, replicas = nodes[:many], nodes[many:]
    for place, node in enumerate(primaries):
        with suppress(ResponseError):  # it has one, from a run before
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", place + 1)
        first, last = place * SLOTS // many, (place + 1) * SLOTS // many - 1
        with suppress(ResponseError):  # likewise
            await node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
    for node in nodes[1:]:
        # Nodes know each other by address, not by name.
        address = socket.gethostbyname(node.host)
        await nodes[0].ask("CLUSTER", "MEET", address, node.port, await node.bus())
    await _until(lambda: _all_known(nodes), "they don't hear of each other")
    for primary, replica in zip(primaries, replicas, strict=True):
        name = await primary.name()
        await _until(lambda: _follows(replica, name), "a replica does not follow")  # noqa: B023
    await _until(lambda: _all_well(nodes), "not all slots are served")


async def _all_known(nodes: Sequence[Node]) -> bool:
    return all([await node.knows() >= len(nodes) for node in nodes])


async def _all_well(nodes: Sequence[Node]) -> bool:
    return all([await node.is_well() for node in nodes])


async def _follows(replica: Node, name: str) -> bool:
    try:
        await replica.ask("CLUSTER", "REPLICATE", name)
    except ResponseError:  # it has not heard of that one yet
        return False
    return True


async def _until(condition: Callable[[], Awaitable[bool]], trouble: str) -> None:
    limit = monotonic() + PATIENCE_SECONDS
    while not await condition():
        if monotonic() > limit:
            raise Failure(f"after {PATIENCE_SECONDS:.0f} s {trouble}; see the nodes' logs")
        await asyncio.sleep(PAUSE_SECONDS)
