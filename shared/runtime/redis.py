"""The one place that makes engine clients, and says in our words what can go wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff

from shared.contract.errors import Busy, OutcomeUnknown
from shared.runtime.cluster import Cluster
from shared.runtime.cluster_map import Unsettled
from shared.runtime.engine_url import Address, EngineUrl, parse_engine_url
from shared.runtime.keys import Lane
from shared.runtime.sentinels import Followed, FollowingPool, connection_class, sentinels

T = TypeVar("T")

#: A blocking read must come back before the socket's patience ends, or every quiet second
#: looks like a dead engine.
SOCKET_TIMEOUT_SECONDS = 5.0
BLOCK_MILLISECONDS = 1_000

#: The one thing to say when nobody knows what became of a write.
SILENT = "The engine did not answer in time; send the event again with the same id."
#: What a lost connection raises; repeats are safe because our scripts make them harmless.
LOST: tuple[type[Exception], ...] = (exceptions.ConnectionError, exceptions.TimeoutError)


def connect(url: str, *, retries: int = 10) -> Redis:
    """Return a client for *url*; nothing connects before the first command.

    Replies are bytes in RESP2's shapes. A lost connection is tried again for about four
    seconds, long enough for an engine's restart.
    """
    if url.startswith("unix:"):
        return _client(url, retries)
    engine = parse_engine_url(url)
    if engine.kind == "cluster":
        return Cluster(
            engine.nodes, lambda address: _client(engine.at(*address), retries=0), retries
        )
    if engine.kind == "sentinel":
        return _followed(engine, retries)
    return _client(url, retries)


def options(retries: int) -> dict[str, Any]:
    """Return how every connection is made."""
    return {
        "protocol": 2,
        "socket_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 0,
        "retry": Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.02), retries),
        "retry_on_error": list(LOST),
    }


def _client(url: str, retries: int) -> Redis:
    client = Redis.from_url(url, **options(retries))
    pool = client.connection_pool
    pool.connection_class = cancellable(pool.connection_class)
    return client


def _followed(engine: EngineUrl, retries: int) -> Redis:
    """Return a client for the primary of a service, whichever that is at the moment."""
    manager = sentinels(engine, options(retries))
    client: Followed = manager.master_for(
        engine.service,
        redis_class=Followed,
        connection_pool_class=FollowingPool,
        connection_class=cancellable(connection_class(engine)),
    )
    client.client_at = lambda address: _client(engine.at(*address), retries=0)
    return client


def cancellable(kind: type[Any]) -> type[Any]:
    """Return a *kind* of connection in whose commands a task can be cancelled."""
    return type("Connection", (_Cancellable, kind), {})


class _Cancellable:
    """A connection in whose commands a task can be cancelled, and that says when it is lost.

    uvloop has a RuntimeError for a line that was closed under us. And redis-py sends under
    `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes in the moment in
    which the sending ends: the task would run on for ever.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        try:
            await super().send_packed_command(command, check_health)  # type: ignore[misc]
        except RuntimeError as error:
            if "handler is closed" not in str(error):
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise exceptions.ConnectionError("the connection was closed") from None
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise asyncio.CancelledError


async def primaries(redis: Redis) -> list[Redis]:
    """Return a client for each server that takes writes; whoever asks must not close them."""
    return await redis.primaries() if isinstance(redis, Cluster) else [redis]


async def servers(redis: Redis) -> list[Redis]:
    """Return a client for each server that has data, replicas too, as `primaries` does."""
    return await redis.servers() if isinstance(redis, (Cluster, Followed)) else [redis]


async def at_owner(redis: Redis, key: str, attempt: Callable[[Redis], Awaitable[T]]) -> T:
    """Make *attempt* with a client of the one server that has *key*, if need be again."""
    return await (redis.insist(key, attempt) if isinstance(redis, Cluster) else attempt(redis))


def read_together(redis: Redis, lanes: Sequence[Lane]) -> list[Sequence[Lane]]:
    """Divide *lanes* into those that one command may read; a cluster reads one at a time."""
    return [[lane] for lane in lanes] if isinstance(redis, Cluster) else [lanes]


def place(redis: Redis) -> str:
    """Say where the engine is, without anything secret."""
    if isinstance(redis, Cluster):
        return f"cluster of {', '.join(map(_shown, redis.addresses))}"
    pool = redis.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        primary = f" at {_shown(pool.master_address)}" if pool.master_address else ""
        return f"{pool.service_name}{primary}"
    known = pool.connection_kwargs
    return str(known.get("path") or f"{known['host']}:{known['port']}")


def _shown(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the engine's refusals of a write into ours.

    Raises:
        Busy: the engine is full, or a cluster is being rearranged, and nothing was stored.
        OutcomeUnknown: it went silent; what was sent may be stored.
    """
    try:
        yield
    except exceptions.OutOfMemoryError:
        raise Busy("The engine is full; nothing was stored.") from None
    except Unsettled:
        raise Busy("The cluster is being rearranged; nothing was stored.") from None
    except LOST:
        raise OutcomeUnknown(SILENT) from None
