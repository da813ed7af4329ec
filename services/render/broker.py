"""FastStream's broker for whatever the engine is: alone, with sentinels, or a cluster.

Beside `shared.runtime.redis` this is the one place that makes clients, as FastStream takes none
that is made.
"""

from __future__ import annotations

from typing import Any

from faststream.redis import RedisBroker, RedisClusterBroker, RedisSentinelBroker
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from shared.runtime.engine_url import EngineUrl, parse_engine_url
from shared.runtime.redis import LOST, SOCKET_TIMEOUT_SECONDS, cancellable
from shared.runtime.sentinels import asking, connection_class

#: Without them, FastStream sleeps five seconds whenever the engine restarts.
RETRIES = 20


def make_broker(url: str, **options: Any) -> RedisBroker:
    """Return a broker for the engine at *url*; *options* are FastStream's."""
    options |= {
        "socket_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.02), RETRIES),
        "retry_on_error": list(LOST),
    }
    if url.startswith("unix:"):
        return _alone(url, options)
    engine = parse_engine_url(url)
    match engine.kind:
        case "cluster":
            return _cluster(engine, options)
        case "sentinel":
            return RedisSentinelBroker(
                _resp2(engine.at(*engine.nodes[0])),
                sentinels=engine.nodes,
                sentinel_master_name=engine.service,
                sentinel_kwargs=asking(engine),
                connection_class=cancellable(connection_class(engine)),
                **options,
            )
        case "alone":
            return _alone(url, options)


def _alone(url: str, options: dict[str, Any]) -> RedisBroker:
    # Whoever doesn't hear that they should stop reads on, with a connection that nobody closes.
    kind = parse_url(url).get("connection_class", Connection)
    return RedisBroker(_resp2(url), connection_class=cancellable(kind), **options)


def _cluster(engine: EngineUrl, options: dict[str, Any]) -> RedisBroker:
    first, *others = engine.nodes
    return RedisClusterBroker(_resp2(engine.at(*first)), startup_nodes=others, **options)


def _resp2(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}protocol=2"
