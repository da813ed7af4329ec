"""API keys: made, kept as hashes, rotated and revoked. Who comes with one is met in `door.py`.

A key is ``wt_<id>_<secret>``. The secret is 256 random bits, so one SHA-256 is enough; it is
shown once and stored nowhere. Two secrets may be alive while publishers change over.

When a key was last used is kept beside the keys, for it changes all the time and they don't.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from shared.contract.access import ApiKey, Scope, Secret, ended
from shared.contract.desk import Check, Level
from shared.contract.durability import Durability
from shared.runtime.clock import new_name, new_secret, now
from shared.runtime.keys import API_KEYS, API_KEYS_USED

_RECORD: TypeAdapter[ApiKey] = TypeAdapter(ApiKey)
_TOKEN = re.compile(r"wt_([0-9a-f]{1,32})_([A-Za-z0-9_-]{1,128})")
#: Compared when there is no such key, so that its absence takes as long as a wrong secret.
_NOBODY = (Secret("0" * 64, datetime.min.replace(tzinfo=UTC)),)


class NoSuchKey(LookupError):
    """No key has this id, or its record can't be read."""


class KeyRevoked(ValueError):
    """The key was revoked, which is for good."""


class KeyExpired(ValueError):
    """The key has expired, and was not given another end."""


async def create(
    redis: Redis,
    name: str,
    scopes: tuple[Scope, ...],
    articles: tuple[str, ...] = ("*",),
    sources: tuple[str, ...] = ("*",),
    expires: datetime | None = None,
    checks: dict[Check, Level] | None = None,
    durability: Durability | None = None,
    rate: int | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return it with the token, which can't be had again."""
    secret, key_id, at = new_secret(), new_name(), now()
    secrets = (_hashed(secret, at),)
    ends: dict[str, Any] = {"expires": expires, "checks": checks or {}, "durability": durability}
    made = ApiKey(key_id, name, scopes, at, secrets, articles, sources, rate=rate, **ends)
    await redis.hset(API_KEYS, key_id, dumped(made))
    return made, _token(made, secret)


async def rotate(
    redis: Redis, key_id: str, grace: timedelta, expires: datetime | None = None
) -> tuple[ApiKey, str]:
    """Give a key another secret, and another end if *expires*; older secrets end after *grace*.

    What has ended stays so: only the new secret goes on in a key that had expired.

    Raises:
        NoSuchKey, KeyRevoked, KeyExpired: there is nothing to rotate.
    """
    secret, at = new_secret(), now()

    def rotated(key: ApiKey) -> ApiKey:
        if key.revoked is not None:
            raise KeyRevoked(key_id)
        end = expires or key.expires
        if ended(end, at):
            raise KeyExpired(key_id)
        secrets = (*_ending(key, at, at + grace), _hashed(secret, at))
        return replace(key, secrets=secrets, expires=end)

    key = await _change(redis, key_id, rotated)
    return key, _token(key, secret)


async def revoke(redis: Redis, key_id: str) -> ApiKey:
    """Close the door to a key, at once and for good. Raises NoSuchKey."""
    at = now()
    return await _change(redis, key_id, lambda key: replace(key, revoked=key.revoked or at))


async def everyone(redis: Redis) -> list[ApiKey]:
    """Return all keys, the revoked ones too, oldest first."""
    records = await redis.hvals(API_KEYS)
    return sorted((loaded(each) for each in records), key=lambda key: key.created)


async def used(redis: Redis) -> Mapping[str, datetime]:
    """Return when each key was last used, within a minute or so, by its id; unused ones lack."""
    found: Any = await redis.hgetall(API_KEYS_USED)
    return {
        key_id.decode(): datetime.fromtimestamp(int(seconds), UTC)
        for key_id, seconds in found.items()
        if seconds.isdigit()
    }


async def note_use(redis: Redis, key_id: str, at: datetime) -> None:
    """Keep that a key was used at *at*."""
    await redis.hset(API_KEYS_USED, key_id, str(int(at.timestamp())))


def matching(key: ApiKey | None, secret: str) -> Secret | None:
    """Return the one of *key*'s secrets that *secret* is, in a time that tells nothing about it.

    It may have ended; nothing is one of a revoked key's.
    """
    held = key.secrets if key and key.revoked is None else ()
    digest = _digest(secret)
    # All are compared, also after one that fits.
    found = [hmac.compare_digest(digest, each.sha256) for each in held or _NOBODY]
    return next((each for each, fits in zip(held, found, strict=False) if fits), None)


def parts(token: str) -> tuple[str, str]:
    """Return a token's id and secret; two empty strings for what is no token."""
    found = _TOKEN.fullmatch(token)
    return (found[1], found[2]) if found else ("", "")


def dumped(key: ApiKey) -> bytes:
    """Return *key* as it is kept."""
    return _RECORD.dump_json(key)


def loaded(record: bytes | str | None) -> ApiKey:
    """Return the key that `dumped` wrote; raises NoSuchKey, without a word of what is there."""
    if record is None:
        raise NoSuchKey
    try:
        return _RECORD.validate_json(record)
    except ValidationError:
        raise NoSuchKey from None


async def _change(redis: Redis, key_id: str, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
    """Replace a key by what *change* makes of it; of two at a time neither undoes the other."""

    async def step(pipe: Any) -> ApiKey:
        record = await pipe.hget(API_KEYS, key_id)
        if record is None:
            raise NoSuchKey(key_id)
        key = change(loaded(record))
        pipe.multi()
        pipe.hset(API_KEYS, key_id, dumped(key))
        return key

    changed: ApiKey = await redis.transaction(step, API_KEYS, value_from_callable=True)
    return changed


def _ending(key: ApiKey, at: datetime, end: datetime) -> list[Secret]:
    return [replace(each, expires=min(each.expires or end, end)) for each in key.alive(at)]


def _hashed(secret: str, at: datetime) -> Secret:
    return Secret(_digest(secret), at)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(key: ApiKey, secret: str) -> str:
    return f"wt_{key.key_id}_{secret}"
