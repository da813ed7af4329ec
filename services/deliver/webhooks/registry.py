"""Who has subscribed, as a process knows it: read again when it has changed, and now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import structlog
from redis.asyncio import Redis

from services.deliver.core.cursors import START, Place, parse_cursor
from services.deliver.core.subscription import Subscription
from services.deliver.webhooks import records
from services.deliver.webhooks.records import NoSuchSubscription
from services.deliver.webhooks.subscribing import Subscribing
from shared.contract.access import ApiKey
from shared.runtime.api_keys import NoSuchKey, loaded
from shared.runtime.clock import monotonic, now
from shared.runtime.keys import API_KEYS
from shared.runtime.outlet_keys import SubscriptionKeys
from shared.runtime.sealing import SealError

#: A key that is revoked ends its subscriptions within this time.
READ_AGAIN_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One subscription at work: its *record*, its keys, the patterns that bound it, its secrets.

    *since* is the place in each lane's outbox before which nothing is told. Nothing is sent unless
    *open*, its key, opens something; what changes is noted all the same.
    """

    record: Subscription
    keys: SubscriptionKeys
    bounds: tuple[str, ...]
    secrets: tuple[bytes, ...]
    since: Mapping[str, Place]
    open: bool = True

    def may_hear_of(self, article: str) -> bool:
        """Whether *article* is one that it is about, and that its key is for."""
        bounded = any(fnmatchcase(article, pattern) for pattern in self.bounds)
        return bounded and self.record.names(article)

    def joined_after(self, lane: str, place: Place) -> bool:
        """Whether what is at *place* was there before it."""
        return place <= self.since.get(lane, START)


class Registry:
    """All subscriptions that can be read."""

    def __init__(self, redis: Redis, subscribing: Subscribing) -> None:
        self._redis = redis
        self._subscribing = subscribing
        self._turn = asyncio.Lock()
        self._revision: bytes | None = None
        self._read_at = float("-inf")
        self.subscribed: Mapping[str, Subscribed] = {}

    async def refresh(self) -> None:
        """Read them again if they may have changed. Raises RedisError."""
        async with self._turn:
            revision = await records.revision(self._redis)
            recent = monotonic() - self._read_at < READ_AGAIN_SECONDS
            if revision == self._revision and (recent or not revision):
                return
            at = monotonic()
            found = await records.everyone(self._redis)
            keys = await self._keys({each.created_by for each in found if each.created_by})
            self.subscribed = {
                each.subscription_id: await self._working(each, keys) for each in found
            }
            # Only now: whoever is told that nothing has changed relies on what is there.
            self._read_at, self._revision = at, revision

    async def _keys(self, key_ids: Collection[str]) -> dict[str, ApiKey]:
        names = sorted(key_ids)
        found: Any = await self._redis.hmget(API_KEYS, names) if names else []
        keys: dict[str, ApiKey] = {}
        for key_id, record in zip(names, found, strict=True):
            with suppress(NoSuchKey):
                keys[key_id] = loaded(record)
        return keys

    async def _working(self, record: Subscription, keys: Mapping[str, ApiKey]) -> Subscribed:
        at, its, is_open = now(), SubscriptionKeys(record.subscription_id), True
        patterns: tuple[str, ...] = ("*",)
        if record.created_by is not None:
            key = keys.get(record.created_by)
            patterns = key.articles if key else ()
            is_open = key is not None and bool(key.alive(at)) and key.rights.has("read")
        if not is_open:
            await self._disable(record, "key")
        since = parse_cursor(self._subscribing.lanes.tags, record.since) or {}
        try:
            secrets = self._secrets(record, at)
        except SealError as error:
            log.error(
                "subscription.unreadable", subscription=record.subscription_id, reason=str(error)
            )
            secrets, is_open = (), False
        return Subscribed(record, its, patterns, secrets, since, is_open)

    def _secrets(self, record: Subscription, at: datetime) -> tuple[bytes, ...]:
        unseal = self._subscribing.seal.unseal
        alive = [each.sealed for each in record.secrets if each.alive(at)]
        return tuple(unseal(each, record.subscription_id) for each in alive)

    async def _disable(self, record: Subscription, reason: str) -> None:
        try:
            before = await self._subscribing.turn(record.subscription_id, "disabled", reason)
        except NoSuchSubscription:
            return
        if before != "disabled":
            log.warning("subscription.disabled", subscription=record.subscription_id, reason=reason)
