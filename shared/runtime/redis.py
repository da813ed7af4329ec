"""The one place that makes engine clients, and says in our words what can go wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from shared.contract.errors import Busy, OutcomeUnknown

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
    client = Redis.from_url(
        url,
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=0,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.02), retries),
        retry_on_error=list(LOST),
    )
    pool = client.connection_pool
    pool.connection_class = type("Connection", (_Cancellable, pool.connection_class), {})
    return client


class _Cancellable:
    """A connection in whose commands a task can be cancelled.

    redis-py sends under `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that
    comes in the moment in which the sending ends: the task would run on for ever.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(command, check_health)  # type: ignore[misc]
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise asyncio.CancelledError


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the engine's refusals of a write into ours.

    Raises:
        Busy: the engine is full and stored nothing.
        OutcomeUnknown: it went silent; what was sent may be stored.
    """
    try:
        yield
    except exceptions.OutOfMemoryError:
        raise Busy("The engine is full; nothing was stored.") from None
    except LOST:
        raise OutcomeUnknown(SILENT) from None
