"""A client for Redis Cluster that is used as one for a single engine is.

Each command goes to the node that has its key, a pipeline to several nodes at once, a transaction
to the one node that has all of its keys. What a cluster answers while it is being rearranged
(MOVED, ASK, TRYAGAIN, CLUSTERDOWN, a node that is gone) is followed or tried again for as long as
a lost connection is.

redis-py has a cluster client, too; a transaction of that starts a thread and an event loop for
each of its commands, and a node that fails takes the connections to all others with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.backoff import ExponentialWithJitterBackoff

from shared.runtime.cluster_map import ClusterMap, Unsettled, key_of, slot_of
from shared.runtime.engine_url import Address

T = TypeVar("T")

#: A command and redis-py's options for its reply, as a pipeline holds them.
Command = tuple[tuple[Any, ...], Mapping[str, Any]]

#: Redirections that are followed at once; a node that is behind may send us back and forth.
REDIRECTIONS = 5

_LOST = (exceptions.ConnectionError, exceptions.TimeoutError)
#: What a cluster refuses while it is being rearranged; nothing was done.
REFUSED = (
    exceptions.AskError,  # of which MOVED is one
    exceptions.TryAgainError,
    exceptions.ClusterDownError,
    exceptions.ReadOnlyError,
)


class Cluster(Redis):
    """The cluster that *seeds* belong to; *client_at* makes a client for one node.

    Those clients must not retry by themselves: another node may have the key by then.
    """

    def __init__(
        self, seeds: Sequence[Address], client_at: Callable[[Address], Redis], retries: int
    ) -> None:
        super().__init__()
        self._map = ClusterMap(seeds, client_at)
        self._retries = retries

    async def primaries(self) -> list[Redis]:
        """Return a client for each node that has keys. They must not be closed."""
        await self._map.refresh()
        return self._map.primaries()

    async def servers(self) -> list[Redis]:
        """Return a client for each node, those that take no writes too. They must not be closed."""
        await self._map.refresh()
        return self._map.everyone()

    @property
    def addresses(self) -> Sequence[Address]:
        """Where its primaries are, as far as is known."""
        return self._map.addresses

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        key = key_of(args)
        trying = _Trying(self._retries)
        while True:
            try:
                node: Any = await self._map.owner(key)
                return await node.execute_command(*args, **options)
            except (*_LOST, *REFUSED) as error:
                failure: Exception = error
            if _is_ask(failure):
                try:
                    return await self._ask(failure, (args, options))
                except (*_LOST, *REFUSED) as error:
                    failure = error
            self._map.learn(failure)
            await trying.again(failure)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self, transaction, shard_hint)

    async def transaction(self, func: Any, *watches: Any, **options: Any) -> Any:
        async def attempt(node: Redis) -> Any:
            return await node.transaction(func, *watches, **options)

        return await self.insist(watches[0], attempt)

    async def scan_iter(  # type: ignore[override]  # as is redis-py's own asynchronous one
        self, *args: Any, **options: Any
    ) -> AsyncIterator[Any]:
        for node in await self.primaries():
            async for key in node.scan_iter(*args, **options):
                yield key

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await self._map.aclose()
        await super().aclose(close_connection_pool)

    async def run_together(self, commands: Sequence[Command], *, raise_on_error: bool) -> list[Any]:
        """Run *commands* as one transaction, on the node that has their keys.

        Raises:
            ValueError: they are of several slots; only what is of one lane is done in one step.
        """
        keys = {key for key in _keys(commands) if key is not None}
        if len(set(map(slot_of, keys))) > 1:
            raise ValueError(f"one transaction can't be of several slots: {sorted(keys)}")

        async def attempt(node: Redis) -> list[Any]:
            return await _run(node, commands, transaction=True, raise_on_error=raise_on_error)

        return await self.insist(next(iter(keys), None), attempt)

    async def run_apart(self, commands: Sequence[Command]) -> list[Any]:
        """Run *commands* in no certain order, each where its key is; errors stand among replies."""
        keys = _keys(commands)
        replies: list[Any] = [None] * len(commands)
        left = list(range(len(commands)))
        trying = _Trying(self._retries)
        while left:
            failure = await self._run_some(commands, keys, left, replies)
            left = [at for at in left if isinstance(replies[at], (*_LOST, *REFUSED))]
            asked = [at for at in left if _is_ask(replies[at])]
            for at in asked:
                args, options = commands[at]
                replies[at] = await self.execute_command(*args, **options)
            left = [at for at in left if at not in asked]
            if left and failure:
                await trying.again(failure)
        return replies

    async def _run_some(
        self,
        commands: Sequence[Command],
        keys: Sequence[Any],
        left: Sequence[int],
        replies: list[Any],
    ) -> Exception | None:
        """Put the replies of those that are *left* into *replies*; return one that failed."""
        nodes: dict[Redis, list[int]] = {}
        try:
            for at in left:
                nodes.setdefault(await self._map.owner(keys[at]), []).append(at)
        except (*_LOST, *REFUSED) as error:
            for at in left:
                replies[at] = error
            return error

        async def on(node: Redis, places: Sequence[int]) -> None:
            some = [commands[at] for at in places]
            try:
                found = await _run(node, some, transaction=False, raise_on_error=False)
            except _LOST as error:
                found = [error] * len(places)
            for at, reply in zip(places, found, strict=True):
                replies[at] = reply

        await asyncio.gather(*(on(node, places) for node, places in nodes.items()))
        failed = [replies[at] for at in left if isinstance(replies[at], (*_LOST, *REFUSED))]
        for each in failed:
            self._map.learn(each)
        return failed[0] if failed else None

    async def insist(self, key: Any, attempt: Callable[[Redis], Awaitable[T]]) -> T:
        """Make *attempt* on the node that has *key*, and again after what may pass."""
        trying = _Trying(self._retries)
        while True:
            try:
                return await attempt(await self._map.owner(key))
            except (*_LOST, *REFUSED) as error:
                self._map.learn(error)
                await trying.again(error)

    async def _ask(self, error: Any, command: Command) -> Any:
        """Have *command* done where its key is moving to."""
        node = self._map.at((error.host, int(error.port)))
        both: list[Command] = [(("ASKING",), {}), command]
        return (await _run(node, both, transaction=False, raise_on_error=True))[1]


class _Pipeline(Pipeline):
    """Collects commands as any pipeline; the cluster runs them."""

    def __init__(self, cluster: Cluster, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(
            cluster.connection_pool, cluster.response_callbacks, transaction, shard_hint
        )
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        if not commands:
            return []
        if self.is_transaction:
            return await self._cluster.run_together(commands, raise_on_error=raise_on_error)
        replies = await self._cluster.run_apart(commands)
        for reply in replies:
            if raise_on_error and isinstance(reply, Exception):
                raise reply
        return replies


class _Trying:
    """Says whether, and when, something that failed is tried again."""

    def __init__(self, retries: int) -> None:
        self._left = retries
        self._redirections = REDIRECTIONS
        self._backoff = ExponentialWithJitterBackoff(cap=0.5, base=0.02)
        self._failures = 0
        self._lost: Exception | None = None

    async def again(self, error: Exception) -> None:
        """Return when it is time for another try.

        Raises:
            ConnectionError, TimeoutError: a connection was lost, so it may have been done.
            Unsettled: it was refused each time, so nothing was.
        """
        if isinstance(error, _LOST) and not isinstance(error, Unsettled):
            self._lost = error
        if isinstance(error, exceptions.MovedError) and self._redirections:
            self._redirections -= 1
            return
        if not self._left:
            raise self._lost or Unsettled(f"the cluster is being rearranged ({error})")
        self._left -= 1
        self._failures += 1
        await asyncio.sleep(self._backoff.compute(self._failures))


async def _run(
    node: Redis, commands: Sequence[Command], *, transaction: bool, raise_on_error: bool
) -> list[Any]:
    async with node.pipeline(transaction=transaction) as step:
        for args, options in commands:
            step.execute_command(*args, **options)
        replies: list[Any] = await step.execute(raise_on_error)
        return replies


def _keys(commands: Sequence[Command]) -> list[Any]:
    """Return the key of each; a command without one goes where the next one with one goes."""
    keys: list[Any] = []
    key = None
    for args, _ in reversed(commands):
        key = key_of(args) or key
        keys.append(key)
    return keys[::-1]


def _is_ask(error: Any) -> bool:
    moved = isinstance(error, exceptions.MovedError)
    return isinstance(error, exceptions.AskError) and not moved
