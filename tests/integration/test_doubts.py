"""What services say of their engine when they start."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from shared.runtime import clock, skew
from shared.runtime.installation import await_installation


@pytest.fixture
async def reachable(redis: Redis) -> AsyncIterator[None]:
    """An engine that others than this machine reach."""
    await redis.config_set("protected-mode", "no")
    await redis.config_set("bind", "* -::*")
    yield
    await redis.config_set("bind", "127.0.0.1")
    await redis.config_set("protected-mode", "yes")


async def test_of_an_engine_that_is_well_they_say_nothing(redis):
    with capture_logs() as lines:
        await await_installation(redis, 2)

    assert lines == []


async def test_an_engine_in_which_anybody_may_do_anything_is_warned_of(redis, reachable):
    with capture_logs() as lines:
        await await_installation(redis, 2)

    [line] = lines
    assert (line["event"], line["log_level"]) == ("engine.open", "warning")
    assert "resetpass" in line["remedy"]


async def test_a_clock_that_is_off_is_warned_of(redis, monkeypatch):
    monkeypatch.setattr(skew, "now", lambda: clock.now() + timedelta(seconds=90))

    with capture_logs() as lines:
        await await_installation(redis, 2)

    [line] = lines
    assert line["event"] == "clock.skewed"
    assert -91 < line["seconds"] < -89


async def test_who_may_not_look_starts_all_the_same(redis, engine):
    await redis.execute_command("ACL", "SETUSER", "guest", "on", "nopass", "+@all", "-acl", "~*")
    try:
        async with Redis.from_url(engine.url.replace("//", "//guest:any@"), protocol=2) as guest:
            with capture_logs() as lines:
                await await_installation(guest, 2)
    finally:
        await redis.execute_command("ACL", "DELUSER", "guest")

    assert lines == []


async def test_a_user_of_ours_does_not_ask_what_it_may_not_know(redis, engine, reachable):
    await redis.execute_command("ACL", "SETUSER", "ours", "on", ">secret", "+@all", "~*")
    url = engine.url.replace("//", "//ours:secret@")
    try:
        async with Redis.from_url(url, protocol=2) as ours:
            with capture_logs() as lines:
                await await_installation(ours, 2)
    finally:
        await redis.execute_command("ACL", "DELUSER", "ours")

    assert lines == []
