"""Subscriptions as the engine holds them: their records, how they do, and what was sent last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from services.deliver.core.subscription import Status, Subscription
from shared.runtime.keys import SUBSCRIPTIONS, SUBSCRIPTIONS_REVISION
from shared.runtime.outlet_keys import SubscriptionKeys

_RECORD: TypeAdapter[Subscription] = TypeAdapter(Subscription)


class NoSuchSubscription(LookupError):
    """No subscription has this id, or its record can't be read."""


@dataclass(frozen=True, slots=True)
class State:
    """How a subscription does. *reason* is why it is disabled.

    *waiting* counts the articles that it is still to be told of, *dead* the messages given up.
    """

    status: Status
    reason: str | None = None
    changed: datetime | None = None
    failing_since: datetime | None = None
    rests_until: datetime | None = None
    delivered: datetime | None = None
    attempted: datetime | None = None
    waiting: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The last attempts and the messages given up, newest first, as they are shown."""

    recent: Sequence[dict[str, Any]]
    dead: Sequence[dict[str, Any]]


async def everyone(redis: Redis) -> list[Subscription]:
    """Return all subscriptions that can be read, oldest first."""
    found: Any = await redis.hvals(SUBSCRIPTIONS)
    records = [record for each in found if (record := _loaded(each))]
    return sorted(records, key=lambda each: (each.created, each.subscription_id))


async def find(redis: Redis, subscription_id: str) -> Subscription:
    """Return one subscription. Raises NoSuchSubscription."""
    record = _loaded(await redis.hget(SUBSCRIPTIONS, subscription_id))
    if record is None:
        raise NoSuchSubscription(subscription_id)
    return record


async def revision(redis: Redis) -> bytes | None:
    """Return what differs after any record was written or taken away."""
    found: Any = await redis.get(SUBSCRIPTIONS_REVISION)
    return None if found is None else bytes(found)


async def keep(redis: Redis, record: Subscription) -> None:
    """Keep a new subscription: what it works on first, as without a record nobody works on it."""
    keys = SubscriptionKeys(record.subscription_id)
    await redis.hset(keys.state, "status", "active")
    await redis.hset(SUBSCRIPTIONS, record.subscription_id, _RECORD.dump_json(record))
    await redis.incr(SUBSCRIPTIONS_REVISION)


async def change(
    redis: Redis, subscription_id: str, changed: Callable[[Subscription], Subscription]
) -> Subscription:
    """Replace a record by what *changed* makes of it; of two at a time neither undoes the other.

    Raises:
        NoSuchSubscription: there is none.
    """

    async def step(pipe: Any) -> Subscription:
        record = _loaded(await pipe.hget(SUBSCRIPTIONS, subscription_id))
        if record is None:
            raise NoSuchSubscription(subscription_id)
        made = changed(record)
        pipe.multi()
        pipe.hset(SUBSCRIPTIONS, subscription_id, _RECORD.dump_json(made))
        return made

    made: Subscription = await redis.transaction(step, SUBSCRIPTIONS, value_from_callable=True)
    await redis.incr(SUBSCRIPTIONS_REVISION)
    return made


async def remove(redis: Redis, subscription_id: str) -> None:
    """Take a subscription away with all that it has. Raises NoSuchSubscription."""
    if not await redis.hdel(SUBSCRIPTIONS, subscription_id):
        raise NoSuchSubscription(subscription_id)
    await redis.incr(SUBSCRIPTIONS_REVISION)
    await redis.unlink(*SubscriptionKeys(subscription_id).working)


async def states(redis: Redis, ids: Sequence[str]) -> list[State]:
    """Return how each of *ids* does, in their order."""
    async with redis.pipeline(transaction=False) as asked:
        for each in map(SubscriptionKeys, ids):
            asked.hgetall(each.state)
            asked.zcard(each.due)
            asked.llen(each.dead)
        answers: list[Any] = await asked.execute()
    return [
        _state(facts, waiting, dead)
        for facts, waiting, dead in zip(answers[0::3], answers[1::3], answers[2::3], strict=True)
    ]


async def deliveries(redis: Redis, subscription_id: str) -> Deliveries:
    """Return what was sent to one, or given up."""
    keys = SubscriptionKeys(subscription_id)
    async with redis.pipeline(transaction=False) as asked:
        asked.lrange(keys.recent, 0, -1)
        asked.lrange(keys.dead, 0, -1)
        recent, dead = await asked.execute()
    return Deliveries(
        [orjson.loads(each) for each in recent], [orjson.loads(each) for each in dead]
    )


def _state(facts: dict[bytes, bytes], waiting: int, dead: int) -> State:
    said = {name.decode(): value.decode() for name, value in facts.items()}
    status: Any = said.get("status", "active")
    times = ("changed", "failing_since", "rests_until", "delivered", "attempted")
    moments = {name: _moment(said[name]) for name in times if name in said}
    return State(status, said.get("reason"), **moments, waiting=waiting, dead=dead)


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1e3, UTC)


def _loaded(record: bytes | str | None) -> Subscription | None:
    if record is None:
        return None
    try:
        return _RECORD.validate_json(record)
    except ValidationError:
        return None
