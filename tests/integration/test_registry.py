"""What a process knows of subscriptions, while several of its tasks ask for that at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Lost

from services.deliver.core.subscription import Subscription
from services.deliver.webhooks import records
from services.deliver.webhooks.registry import Registry
from services.deliver.webhooks.subscribing import Subscribing, Wish
from shared.runtime.installation import open_installation
from shared.runtime.sealing import Seal

WISH = Wish("https://partner.example/hook")


@pytest.fixture
async def subscribing(redis: Redis) -> Subscribing:
    installation = await open_installation(redis, 2)
    return Subscribing(redis, installation.lanes, Seal(installation.key))


async def test_who_asks_while_another_reads_knows_a_subscription_that_was_just_made(
    redis: Redis, subscribing: Subscribing, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a subscription, of which one task is reading
    made, _ = await subscribing.create(WISH, None)
    registry, reading, go_on = Registry(redis, subscribing), asyncio.Event(), asyncio.Event()
    everyone = records.everyone

    async def slowly(redis: Redis) -> Sequence[Subscription]:
        reading.set()
        await go_on.wait()
        return await everyone(redis)

    monkeypatch.setattr(records, "everyone", slowly)
    first = asyncio.create_task(registry.refresh())
    await reading.wait()

    # when another asks
    async def known() -> bool:
        await registry.refresh()
        return made.subscription_id in registry.subscribed

    second = asyncio.create_task(known())
    asyncio.get_running_loop().call_later(0.05, go_on.set)

    # then it is not told that there is none
    assert await second
    await first


async def test_what_could_not_be_read_is_read_when_next_asked_for(
    redis: Redis, subscribing: Subscribing, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = await subscribing.create(WISH, None)
    registry = Registry(redis, subscribing)
    with monkeypatch.context() as away:
        away.setattr(records, "everyone", _lost)
        with pytest.raises(Lost):
            await registry.refresh()

    await registry.refresh()

    assert made.subscription_id in registry.subscribed


async def _lost(_: Redis) -> Sequence[Subscription]:
    raise Lost
