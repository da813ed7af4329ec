"""API keys: made, kept as hashes, rotated, revoked, and asked at the door.

A key is ``wt_<id>_<secret>``. The secret is 256 random bits, so one SHA-256 is enough; it is
shown once and stored nowhere. Two secrets may be alive while publishers change over.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

from pydantic import TypeAdapter
from redis.asyncio import Redis

from shared.contract.access import ApiKey, Scope, Secret
from shared.runtime.clock import new_name, new_secret, now
from shared.runtime.keys import API_KEYS

_RECORD: TypeAdapter[ApiKey] = TypeAdapter(ApiKey)
#: Compared when there is no such key, so that its absence takes as long as a wrong secret.
_NOBODY = ("0" * 64,)


class NoSuchKey(LookupError):
    """No key has this id."""


async def create(
    redis: Redis,
    name: str,
    scopes: tuple[Scope, ...],
    articles: tuple[str, ...] = ("*",),
    sources: tuple[str, ...] = ("*",),
) -> tuple[ApiKey, str]:
    """Make a key; return it with the token, which can't be had again."""
    secret, key_id = new_secret(), new_name()
    made = ApiKey(key_id, name, scopes, now(), (_hashed(secret),), articles, sources)
    await _keep(redis, made)
    return made, _token(made, secret)


async def rotate(redis: Redis, key_id: str, grace: timedelta) -> tuple[ApiKey, str]:
    """Give a key another secret; those before it end after *grace*."""
    key, secret, ends = await find(redis, key_id), new_secret(), now() + grace
    before = tuple(
        replace(each, expires=min(each.expires or ends, ends)) for each in key.alive(now())
    )
    rotated = replace(key, secrets=(*before, _hashed(secret)))
    await _keep(redis, rotated)
    return rotated, _token(rotated, secret)


async def revoke(redis: Redis, key_id: str) -> ApiKey:
    """Close the door to a key, at once and for good."""
    revoked = replace(await find(redis, key_id), revoked=now())
    await _keep(redis, revoked)
    return revoked


async def find(redis: Redis, key_id: str) -> ApiKey:
    """Return the key; raises NoSuchKey."""
    record = await redis.hget(API_KEYS, key_id)
    if record is None:
        raise NoSuchKey(key_id)
    return _RECORD.validate_json(record)


async def everyone(redis: Redis) -> list[ApiKey]:
    """Return all keys, the revoked ones too, oldest first."""
    records = await redis.hvals(API_KEYS)
    return sorted((_RECORD.validate_json(each) for each in records), key=lambda key: key.created)


async def authenticate(redis: Redis, token: str) -> ApiKey | None:
    """Return the key that *token* opens, in a time that tells nothing about its secret."""
    key_id, secret = parts(token)
    try:
        key = await find(redis, key_id)
    except NoSuchKey:
        key = None
    alive = tuple(each.sha256 for each in key.alive(now())) if key else ()
    opened = [hmac.compare_digest(_digest(secret), each) for each in alive or _NOBODY]
    return key if any(opened) else None


def parts(token: str) -> tuple[str, str]:
    """Return a token's id and secret; two empty strings for what is no token."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == "wt" and key_id.isalnum() and secret else ("", "")


def _hashed(secret: str) -> Secret:
    return Secret(_digest(secret), now())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(key: ApiKey, secret: str) -> str:
    return f"wt_{key.key_id}_{secret}"


async def _keep(redis: Redis, key: ApiKey) -> None:
    await redis.hset(API_KEYS, key.key_id, _RECORD.dump_json(key))
