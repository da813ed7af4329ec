"""The door: whose key a request brings, and how often somebody may try a wrong one.

Failures are counted in the engine, by address and key, so that the limit holds over processes.
An id that no key has is counted as none, so that there are never more counters than keys.

What a turn of the loop asks of one key is asked once for all who bring it.

A key's use is noted beside the request, seldom, and in vain if the engine doesn't take it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import islice
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from shared.article.dates import rfc3339
from shared.contract.access import ApiKey, Secret, ended
from shared.contract.errors import Busy, Refused, TooOften
from shared.runtime.api_keys import NoSuchKey, loaded, matching, note_use, parts
from shared.runtime.clock import now
from shared.runtime.keys import API_KEYS, failures
from shared.runtime.pipe import Command, Pipe

FAILURES, WINDOW_SECONDS = 10, 60
#: A door that waits longer for the engine than this holds up who would try again anyway.
PATIENCE_SECONDS = 5.0
#: How seldom the use of one key is noted by one process.
NOTED_SECONDS = 60

#: Of how many keys is remembered what their records say.
RECORDS = 1_000
_loaded = lru_cache(maxsize=RECORDS)(loaded)

_log = structlog.get_logger()

#: A key's id, and an address.
_Asked = tuple[str, str]
#: The key, if there is one, and how often its secret was wrong.
_Found = tuple[ApiKey | None, int]


class Door:
    """Knows the keys that are in *redis*, and looks each up, by *pipe*, after it was brought.

    So a revocation holds at once. Only what a record says is remembered, not that it is there.
    """

    def __init__(self, redis: Redis, pipe: Pipe | None = None) -> None:
        self._redis = redis
        self._pipe = pipe or Pipe(redis, opens=False)
        self._asked: dict[tuple[str, str], list[asyncio.Future[_Found]]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._noted: dict[str, datetime] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def admit(self, authorizations: Sequence[str], host: str | None) -> ApiKey:
        """Return the key that a request from *host* brings in its Authorization headers.

        Raises:
            Refused: as `unauthenticated`.
            TooOften: after ten wrong ones within a minute; this one wasn't looked at.
            Busy: the engine doesn't say.
        """
        key_id, secret = parts(_bearer(authorizations))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._open(key_id, secret, network(host))
        except (RedisError, OSError) as error:  # a TimeoutError is among the latter
            raise _unread(error) from None

    async def holder(self, key_id: str) -> ApiKey:
        """Return the key of that id, which someone vouches for, while it opens anything.

        Raises:
            Refused: as `unauthenticated`.
            Busy: the engine doesn't say.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                key = loaded(await self._redis.hget(API_KEYS, key_id))
        except NoSuchKey:
            raise Refused("unauthenticated", "The key behind this is not there any more.") from None
        except (RedisError, OSError) as error:
            raise _unread(error) from None
        if not key.alive(now()):
            raise Refused("unauthenticated", "The key behind this was revoked, or has ended.")
        return key

    async def _open(self, key_id: str, secret: str, address: str) -> ApiKey:
        key, failed = await self._look_up(key_id, address)
        counter = failures(address, key.key_id if key else "")
        if failed >= FAILURES:
            raise await self._too_often(counter)
        found, at = matching(key, secret), now()
        if key is None or found is None:
            _log.warning("key.refused", key=key.key_id if key else None, address=address)
            await self._count(counter)
            raise Refused("unauthenticated", "No key is this one, or it is not valid any more.")
        _check_end(key, found, at)
        self._note(key.key_id, at)
        return key

    def _note(self, key_id: str, at: datetime) -> None:
        """Have it noted that a key was used, unless it was within the last minute."""
        last = self._noted.get(key_id)
        if last is not None and 0 <= (at - last).total_seconds() < NOTED_SECONDS:
            return
        self._noted[key_id] = at
        task = asyncio.create_task(self._write_use(key_id, at))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def _write_use(self, key_id: str, at: datetime) -> None:
        with suppress(RedisError, OSError):
            await note_use(self._redis, key_id, at)

    async def _look_up(self, key_id: str, address: str) -> _Found:
        """Return the key of that id, and how often its secret was wrong, from that address."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._ask)
        future: asyncio.Future[_Found] = loop.create_future()
        self._asked.setdefault((key_id, address), []).append(future)
        return await future

    def _ask(self) -> None:
        """Have what was asked in this turn looked up; what comes from now on is asked anew."""
        asked, self._asked = self._asked, {}
        task = asyncio.create_task(self._answer(asked))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _answer(self, asked: Mapping[_Asked, Sequence[asyncio.Future[_Found]]]) -> None:
        commands = [command for each in asked for command in _reads(*each)]
        try:
            answers = iter(await self._pipe.ask(*commands))
            found = [self._found(*islice(answers, 3)) for _ in asked]
        except (RedisError, OSError) as error:
            found = [error] * len(asked)
        for waiting, one in zip(asked.values(), found, strict=True):
            for future in waiting:
                if future.done():
                    continue
                if isinstance(one, Exception):
                    future.set_exception(one)
                else:
                    future.set_result(one)

    def _found(self, record: Any, of_key: Any, of_none: Any) -> _Found | Exception:
        for answer in (record, of_key, of_none):
            if isinstance(answer, Exception):
                return answer
        try:
            return _loaded(record), int(of_key or 0)
        except NoSuchKey:
            return None, int(of_none or 0)

    async def _count(self, counter: str) -> None:
        try:
            async with self._redis.pipeline(transaction=True) as step:
                step.incr(counter)
                step.expire(counter, WINDOW_SECONDS, nx=True)
                await step.execute()
        except ResponseError as error:  # a full engine can't count; guessing stays hopeless
            _log.error("failure.uncounted", reason=type(error).__name__)

    async def _too_often(self, counter: str) -> TooOften:
        after = max(1, await self._redis.ttl(counter))
        detail = f"{FAILURES} wrong keys within a minute; this one was not looked at."
        return TooOften(detail, after)


def _check_end(key: ApiKey, secret: Secret, at: datetime) -> None:
    """Refuse what has ended. Who knows the secret may know why; it is no guess to be counted."""
    if key.expires is not None and ended(key.expires, at):
        _log.warning("key.expired", key=key.key_id)
        detail = (
            f"Key {key.key_id} expired at {_second(key.expires)}; whoever runs writethru makes "
            f"another token for it with: writethru keys rotate {key.key_id} --expires 90d"
        )
        raise Refused("unauthenticated", detail)
    if secret.expires is not None and ended(secret.expires, at):
        _log.warning("key.expired", key=key.key_id)
        detail = f"This token was replaced, and ended at {_second(secret.expires)}; use the newer."
        raise Refused("unauthenticated", detail)


def _second(at: datetime) -> str:
    return rfc3339(at.replace(microsecond=0))


def _unread(error: Exception) -> Busy:
    _log.error("keys.unread", reason=type(error).__name__)
    return Busy("The keys can't be read at the moment; nothing was stored.")


def _reads(key_id: str, address: str) -> tuple[Command, ...]:
    counters = failures(address, key_id), failures(address, "")
    return (("HGET", API_KEYS, key_id), *(("GET", counter) for counter in counters))


@lru_cache(maxsize=1_024)
def network(host: str | None) -> str:
    """Return what one sender has of addresses: one in IPv4, a /64 in IPv6."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "local"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((int(address), 64), strict=False).network_address)
    return str(address)


def _bearer(authorizations: Sequence[str]) -> str:
    """Return the token; raises Refused where there isn't exactly one."""
    scheme, _, token = authorizations[0].partition(" ") if authorizations else ("", "", "")
    if len(authorizations) != 1 or scheme.lower() != "bearer" or not token.strip():
        detail = "The request has no key; send it as the header Authorization: Bearer wt_…"
        raise Refused("unauthenticated", detail)
    return token.strip()
