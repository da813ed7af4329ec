"""The one place that makes engine clients, and says in our words what can go wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
    return Redis.from_url(
        url,
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
        socket_keepalive=True,
        health_check_interval=0,
        retry=Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.02), retries),
        retry_on_error=list(LOST),
    )


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
