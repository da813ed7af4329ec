"""Webhooks when something is wrong: an endpoint, a process, an outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.deliver.core.backoff import Schedule
from services.deliver.webhooks.courier import Timing
from services.deliver.webhooks.service import Pace
from shared.runtime.engine import Engine
from shared.runtime.keys import NOTICES, WEBHOOKS_GROUP
from shared.runtime.outlet_keys import SubscriptionKeys
from tests.builders import SLUG, corrected, killed, posted, published
from tests.integration.hooks import (
    LOOPBACK,
    QUICK,
    Received,
    ask,
    quiet,
    shown,
    subscribe,
    subscriber,
)
from tests.integration.newsstand import LANES, Newsstand, open_newsstand
from tests.stack import Command, free_ports
from tests.waiting import until

FERRY = "ferry-strike"
#: After one failure an hour passes, unless something else brings the next attempt about.
SLOW = Pace(Schedule(pauses=(0.0,) + (3_600.0,) * 9), Timing(look=0.02, look_seldom=0.05))
PROCESS = {"WRITETHRU_LANES": str(LANES), "WRITETHRU_NO_AUTH": "true"}


async def test_an_endpoint_that_never_answers_holds_up_nobody_else(
    redis: Redis, engine: Engine
) -> None:
    slugs = [f"story-{number}" for number in range(20)]
    async with (
        open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand,
        subscriber() as hole,
        subscriber() as hook,
    ):
        hole.hold = asyncio.Event()
        await subscribe(stand, hole.url)
        await subscribe(stand, hook.url)
        for slug in slugs:
            await stand.publish(published(slug=slug))
        got = await hook.getting(len(slugs))
        assert sorted(each.data["article"] for each in got) == sorted(slugs)
        assert len(hole.got) <= 8


async def test_of_several_processes_one_sends_each_message(redis: Redis, engine: Engine) -> None:
    slugs = [f"story-{number}" for number in range(30)]
    async with AsyncExitStack() as stack:
        stands = [
            await stack.enter_async_context(
                open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK)
            )
            for _ in range(2)
        ]
        hook = await stack.enter_async_context(subscriber())
        await subscribe(stands[0], hook.url)
        for slug in slugs:
            await stands[1].publish(published(slug=slug), posted("u1", "One.", slug=slug))
        await until(lambda: _reached(hook.got, slugs, 2))
        await until(lambda: quiet(stands[0]))
    ids = [each.message_id for each in hook.got]
    assert len(set(ids)) == len(ids)


def _reached(got: Sequence[Received], slugs: Sequence[str], version: int) -> bool:
    ends = {each.data["article"]: each.data["to"] for each in got}
    return all(ends.get(slug) == version for slug in slugs)


async def test_a_process_killed_between_sending_and_noting_it_leaves_the_message_to_another(
    redis: Redis, engine: Engine, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    environ = {
        "WRITETHRU_REDIS_URL": engine.url,
        "WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{port}",
        "WRITETHRU_OUTBOUND_ALLOW": "127.0.0.0/8",
        "WRITETHRU_FAIL": "deliver.after_webhook:1",
        **PROCESS,
    }
    async with subscriber() as hook:
        async with open_newsstand(redis, engine.url, no_auth=True, **LOOPBACK) as stand:
            made = await subscribe(stand, hook.url)
            await ask(stand, f"/{made['id']}/pause")
            await stand.publish(published(), posted("u1", "One."))
            await until(lambda: _waits(stand, made))
        keys = SubscriptionKeys(made["id"])
        # given a process that dies when the subscriber has taken the message
        await redis.hset(keys.state, "status", "active")
        killed_one = Command(tmp_path, "deliver", **environ)
        try:
            await until(lambda: killed_one.process.poll() is not None)
        finally:
            killed_one.clear()
        assert killed_one.process.returncode == -9
        assert len(hook.got) == 1
        # when its lease is over, and the article has moved on
        await redis.zadd(keys.due, {SLUG: 0})
        await redis.hset(keys.leases, SLUG, "whoever:0")
        async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
            await stand.publish(posted("u2", "Two."))
            # then another sends the same message, and what came after it by itself
            got = await hook.getting_all_but_silence(stand, 3)
    assert [each.message_id for each in got[:2]] == [got[0].message_id] * 2
    assert [each.steps[1:] for each in got] == [(0, 2), (0, 2), (2, 3)]


async def _waits(stand: Newsstand, made: dict[str, object]) -> bool:
    return bool((await shown(stand, made))["waiting"])


async def test_one_success_brings_all_that_waits_forward(redis: Redis, engine: Engine) -> None:
    async with (
        open_newsstand(redis, engine.url, pace=SLOW, no_auth=True, **LOOPBACK) as stand,
        subscriber(503) as hook,
    ):
        made = await subscribe(stand, hook.url)
        await stand.publish(published(), published(slug=FERRY))
        await hook.getting(2)
        await until(lambda: _failed(stand, made, 2))
        hook.answers = lambda _: 204
        await stand.publish(published(slug="fog"))
        got = await hook.getting_all_but_silence(stand, 5)
        assert {each.data["article"] for each in got[2:]} == {SLUG, FERRY, "fog"}
        assert (await shown(stand, made))["failing_since"] is None


async def _failed(stand: Newsstand, made: dict[str, object], many: int) -> bool:
    return len((await shown(stand, made))["recent"]) >= many


async def test_a_correction_does_not_wait_for_the_next_attempt(
    redis: Redis, engine: Engine
) -> None:
    async with (
        open_newsstand(redis, engine.url, pace=SLOW, no_auth=True, **LOOPBACK) as stand,
        subscriber(lambda number: 503 if number == 1 else 204) as hook,
    ):
        made = await subscribe(stand, hook.url)
        await stand.publish(published(), posted("u1", "One."))
        await until(lambda: _failed(stand, made, 1))
        await stand.publish(corrected("u1", "Two.", "Not one."))
        got = await hook.getting_all_but_silence(stand, 3)
        assert got[0].message_id == got[1].message_id
        assert got[-1].said["type"] == "writethru.update.corrected"


async def test_a_subscriber_is_left_alone_for_as_long_as_it_asks(
    redis: Redis, engine: Engine
) -> None:
    resting = (503, {"retry-after": "1"})
    async with (
        open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand,
        subscriber(lambda number: resting if number == 1 else 204) as hook,
    ):
        made = await subscribe(stand, hook.url)
        await stand.publish(published())
        await until(lambda: _rests(stand, made))
        await stand.publish(published(slug=FERRY))
        assert len(hook.got) == 1
        got = await hook.getting_all_but_silence(stand, 3)
        first, again = (int(each.headers["webhook-timestamp"]) for each in (got[0], got[1]))
        assert again > first


async def _rests(stand: Newsstand, made: dict[str, object]) -> bool:
    return (await shown(stand, made))["rests_until"] is not None


async def test_who_fails_for_five_days_is_disabled_and_that_is_said(
    redis: Redis, engine: Engine
) -> None:
    async with (
        open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand,
        subscriber(500) as hook,
    ):
        made = await subscribe(stand, hook.url)
        seconds, _ = await redis.time()
        since = (seconds - 5 * 86_400) * 1_000
        await redis.hset(SubscriptionKeys(made["id"]).state, "failing_since", str(since))
        await stand.publish(published())
        await until(lambda: _status(stand, made, "disabled"))
        assert len(hook.got) == 1
        assert "five days" in (await shown(stand, made))["reason"]
        notices: Any = await redis.xrange(NOTICES)
        ((_, notice),) = notices
        assert notice[b"subscription"].decode() == made["id"]
        # and what changes meanwhile is told when it is resumed
        await stand.publish(posted("u1", "One."))
        hook.answers = lambda _: 204
        await ask(stand, f"/{made['id']}/resume")
        got = await hook.getting_all_but_silence(stand, 3)
        assert [each.steps[1:] for each in got] == [(0, 1), (0, 1), (1, 2)]


async def _status(stand: Newsstand, made: dict[str, object], status: str) -> bool:
    return bool((await shown(stand, made))["status"] == status)


@pytest.mark.parametrize("loss", ["trimmed", "group", "stream"])
async def test_what_an_outbox_has_lost_is_told_from_the_articles(
    redis: Redis, engine: Engine, loss: str
) -> None:
    async with subscriber() as hook:
        async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
            await stand.publish(published(slug="old"))
            await subscribe(stand, hook.url)
            await stand.publish(published())
            await hook.getting_all_but_silence(stand, 1)
        # given changes while no deliver runs, and their entries lost
        await stand.publish(
            posted("u1", "One."), published(slug=FERRY), posted("u1", "Two.", slug="old"),
            published(slug="fog"), killed("Not ours.", slug="fog"),
        )  # fmt: skip
        for lane in stand.newsroom.lanes:
            if loss == "trimmed":
                await redis.xtrim(lane.changes, maxlen=0, approximate=False)
            elif loss == "group":
                await redis.xgroup_destroy(lane.changes, WEBHOOKS_GROUP)
            else:
                await redis.delete(lane.changes)
        # when one runs again
        async with open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
            await until(lambda: _ends(hook.got) >= {(SLUG, 2), (FERRY, 1), ("old", 2), ("fog", 2)})
            await until(lambda: quiet(stand))


def _ends(got: Sequence[Received]) -> set[tuple[str, int]]:
    return {(each.data["article"], each.data["to"]) for each in got}


async def test_who_has_a_history_that_is_not_ours_is_told_to_begin_anew(
    redis: Redis, engine: Engine
) -> None:
    async with (
        open_newsstand(redis, engine.url, pace=QUICK, no_auth=True, **LOOPBACK) as stand,
        subscriber() as hook,
    ):
        made = await subscribe(stand, hook.url)
        await stand.publish(published())
        await hook.getting_all_but_silence(stand, 1)
        await redis.hset(SubscriptionKeys(made["id"]).told, SLUG, "1.0123456789ab")
        await stand.publish(posted("u1", "One."))
        got = await hook.getting_all_but_silence(stand, 2)
        assert got[1].data["reset"] is True
        assert got[1].steps == (SLUG, 1, 2)
