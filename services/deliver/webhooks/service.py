"""Webhooks, wired: who asks for them, who hears what has changed, who tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from services.deliver.changes import ChangeFeed
from services.deliver.core.backoff import Schedule
from services.deliver.hub import Hub
from services.deliver.reading import Reading
from services.deliver.webhooks.announcing import Announcing
from services.deliver.webhooks.catching_up import CatchingUp
from services.deliver.webhooks.courier import Courier, Timing
from services.deliver.webhooks.delivery import Delivery
from services.deliver.webhooks.endpoints import Subscriptions
from services.deliver.webhooks.payloads import Payloads
from services.deliver.webhooks.registry import Registry
from services.deliver.webhooks.subscribing import Subscribing
from shared.runtime.clock import new_name
from shared.runtime.door import Door
from shared.runtime.fetching import Outbound
from shared.runtime.installation import Installation
from shared.runtime.keys import SUBSCRIPTIONS_READER
from shared.runtime.lease import Lease
from shared.runtime.ledgers import Ledgers
from shared.runtime.redis import connect
from shared.runtime.sealing import Seal
from shared.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Pace:
    """When messages are sent again, and how long they are taken for."""

    schedule: Schedule = field(default_factory=Schedule)
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The *endpoints*, and the work that goes on beside them."""

    endpoints: Subscriptions
    announcing: Announcing
    courier: Courier
    lease: Lease

    async def run(self) -> None:
        """Hear and tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in (self.lease.keep(), self.announcing.run(), self.courier.run()):
                tasks.create_task(work)


@asynccontextmanager
async def opened(
    redis: Redis,
    settings: Settings,
    installation: Installation,
    reading: Reading,
    hub: Hub,
    feed: ChangeFeed,
    door: Door | None,
    pace: Pace,
) -> AsyncIterator[Webhooks]:
    """Make them, with a way out for as long as this lasts."""
    lanes = installation.lanes
    ledgers = Ledgers(redis, lanes, settings.archive)
    subscribing = Subscribing(redis, lanes, Seal(installation.key, settings.sealing_key))
    payloads = Payloads(reading, feed, settings.public_url)
    async with (
        Outbound(settings.outbound) as outbound,
        # Of its own, so that however many subscribe, readers have theirs.
        connect(settings.engine_url, retries=1) as own,
    ):
        registry = Registry(own, subscribing)
        lease = Lease(own, SUBSCRIPTIONS_READER, new_name())
        catching_up = CatchingUp(own, reading, ledgers)
        announcing = Announcing(own, reading, hub, registry, lease, catching_up)
        delivery = Delivery(own, reading, ledgers, payloads, outbound, pace.schedule)
        courier = Courier(own, registry, announcing, delivery, pace.timing)
        endpoints = Subscriptions(redis, reading, door, outbound, subscribing)
        yield Webhooks(endpoints, announcing, courier, lease)
