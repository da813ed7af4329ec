"""Following the primary of a service that sentinels watch over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff

from shared.runtime.clock import monotonic
from shared.runtime.engine_url import Address, EngineUrl, WrongEngineError

#: Another sentinel knows as well.
ASK_SECONDS = 1.0
#: How often it is looked, in passing, whether the primary is still the same.
LOOK_SECONDS = 1.0


def sentinels(engine: EngineUrl, options: dict[str, Any]) -> Sentinel:
    """Return the sentinels of *engine*; *options* are for connections to the primary."""
    return _Sentinels(  # type: ignore[no-untyped-call]
        engine.nodes, sentinel_kwargs=asking(engine), **{**_of_url(engine), **options}
    )


def asking(engine: EngineUrl) -> dict[str, Any]:
    """Return how sentinels are asked: one that is silent must not hold up the others."""
    return {
        "protocol": 2,
        "socket_timeout": ASK_SECONDS,
        "socket_connect_timeout": ASK_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        **_tls(engine),
    }


def connection_class(engine: EngineUrl) -> type[Any]:
    """Return redis-py's kind of connection that asks where the primary is."""
    return SentinelManagedSSLConnection if engine.scheme == "rediss" else SentinelManagedConnection


def _of_url(engine: EngineUrl) -> dict[str, Any]:
    known: dict[str, Any] = dict(parse_url(engine.at("unused", 1)))
    return {name: known[name] for name in known if name not in ("host", "port", "connection_class")}


def _tls(engine: EngineUrl) -> dict[str, Any]:
    if engine.scheme != "rediss":
        return {}
    known = _of_url(engine)
    return {"ssl": True} | {name: known[name] for name in known if name.startswith("ssl_")}


class _Sentinels(Sentinel):
    """Tells an unknown service, which is a mistake, from one without a primary, which passes."""

    async def discover_master(self, service_name: str) -> Any:
        try:
            return await super().discover_master(service_name)
        except exceptions.ResponseError as error:
            raise WrongEngineError(
                f"what answers is no sentinel ({error}); name the sentinels, not the servers"
            ) from None
        except MasterNotFoundError:
            known = await self._services()
            if known is None:
                raise MasterNotFoundError("no sentinel answers") from None
            if service_name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise WrongEngineError(
                    f"the sentinels know no service {service_name}; name one of: {names}"
                ) from None
            raise MasterNotFoundError(f"{service_name} has no primary at the moment") from None

    async def _services(self) -> set[str] | None:
        """Return what the first sentinel that answers watches over."""
        for sentinel in self.sentinels:
            with suppress(exceptions.RedisError):
                return {str(name) for name in await sentinel.sentinel_masters()}
        return None


class FollowingPool(SentinelConnectionPool):
    """Connections to the primary, and to it alone.

    One that stood still until another took its place goes on as a primary for some ten seconds, and
    what it accepts is lost. Connections to it are as good as ever, so nobody would ask who it is.
    """

    _looked = 0.0
    _looking: asyncio.Task[None] | None = None

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        if monotonic() - self._looked > LOOK_SECONDS and not self._is_looking():
            self._looked = monotonic()
            self._looking = asyncio.create_task(self._look())  # nobody waits for it
        return await super().get_connection(*args, **options)  # type: ignore[no-untyped-call]

    async def release(self, connection: Any) -> None:
        if (connection.host, connection.port) != self.master_address:
            await connection.disconnect()
        await super().release(connection)

    async def settled(self) -> None:
        """Wait for a look that is under way, for it has a connection open."""
        if self._looking:
            await asyncio.wait({self._looking})

    def _is_looking(self) -> bool:
        return self._looking is not None and not self._looking.done()

    async def _look(self) -> None:
        with suppress(exceptions.RedisError, OSError):
            # This ends what is idle of another.
            await self.get_master_address()  # type: ignore[no-untyped-call]


class Followed(Redis):
    """A client of such a primary; it closes whatever it has opened."""

    client_at: Callable[[Address], Redis]
    """Makes a client for one of its replicas."""

    async def servers(self) -> list[Redis]:
        """Return a client for the primary and each replica. They must not be closed."""
        pool: Any = self.connection_pool
        found = await pool.sentinel_manager.discover_slaves(pool.service_name)
        kept: dict[Address, Redis] = self.__dict__.setdefault("replicas", {})
        for host, port in found:
            kept.setdefault((host, int(port)), self.client_at((host, int(port))))
        return [self, *(kept[host, int(port)] for host, port in found)]

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        pool: Any = self.connection_pool
        for replica in self.__dict__.pop("replicas", {}).values():
            await replica.aclose()
        await super().aclose(close_connection_pool)
        await pool.settled()
        await pool.sentinel_manager.aclose()
