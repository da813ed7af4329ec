"""A lease in a real engine: one holder at a time, and another when that one is gone."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from shared.runtime.lease import Lease
from tests.waiting import until

KEY = "a-lease"
#: Longer than a slow machine takes for a few commands.
SECONDS = 2.0


def lease(redis: Redis, name: str, seconds: float = SECONDS) -> Lease:
    return Lease(redis, KEY, name, seconds)


async def test_who_comes_first_has_it_until_it_ends(redis: Redis) -> None:
    one, two = lease(redis, "one"), lease(redis, "two")

    assert (await one.take(), await two.take()) == (True, False)
    assert (one.held, two.held) == (True, False)

    await redis.delete(KEY)  # as its time would
    assert await two.take()
    assert not await one.take()
    assert not one.held


async def test_it_is_renewed_by_taking_it_again(redis: Redis) -> None:
    one = lease(redis, "one")
    await one.take()
    await redis.pexpire(KEY, 100)

    await one.take()

    assert await redis.pttl(KEY) > 1_000


async def test_its_holder_knows_the_end_without_the_engine(redis: Redis) -> None:
    one = lease(redis, "one", seconds=0.05)
    await one.take()

    await until(lambda: not one.held)


async def test_it_is_kept_while_it_is_wanted_and_let_go_at_once(redis: Redis) -> None:
    one, two = lease(redis, "one"), lease(redis, "two")
    keeping = asyncio.create_task(one.keep())
    await until(lambda: one.held)
    waiting = asyncio.create_task(two.keep())

    keeping.cancel()
    await asyncio.wait({keeping})

    assert not one.held
    await until(lambda: two.held)
    assert await redis.get(KEY) == b"two"
    waiting.cancel()
    await asyncio.wait({waiting})
    assert await redis.get(KEY) is None


async def test_nobody_lets_go_what_another_has(redis: Redis) -> None:
    one = lease(redis, "one")
    keeping = asyncio.create_task(one.keep())
    await until(lambda: one.held)
    await redis.set(KEY, "two")

    keeping.cancel()
    await asyncio.wait({keeping})

    assert await redis.get(KEY) == b"two"


async def test_an_engine_that_fails_for_a_moment_ends_no_keeping(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lease(redis, "one", seconds=0.4)
    await redis.lpush(KEY, "another type")
    keeping = asyncio.create_task(one.keep())
    await asyncio.sleep(0)

    await redis.delete(KEY)

    await until(lambda: one.held)
    keeping.cancel()
    await asyncio.wait({keeping})
