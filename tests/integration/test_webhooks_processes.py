"""Webhooks of two deliver processes on one engine, one of which is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from redis.asyncio import Redis

from services.deliver.webhooks.claims import AT_ONCE
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.outlet_keys import SubscriptionKeys
from tests.builders import corrected, posted, published
from tests.integration.hooks import Received, subscriber
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import LANES
from tests.stack import Command, free_ports
from tests.waiting import until

SLUGS = [f"story-{number}" for number in range(AT_ONCE)]


class Deliver(Command):
    """`writethru deliver`, as it is started beside others like it."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        environ = {
            "WRITETHRU_REDIS_URL": engine.url,
            "WRITETHRU_LANES": str(LANES),
            "WRITETHRU_NO_AUTH": "true",
            "WRITETHRU_OUTBOUND_ALLOW": "127.0.0.0/8",
            "WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{port}",
        }
        super().__init__(folder, "deliver", **environ)

    def signal(self, number: signal.Signals) -> None:
        for pid in self.processes():
            os.kill(pid, number)

    async def subscriptions(self, **document: Any) -> Any:
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:
            if document:
                return (await http.post("/v1/subscriptions", json=document)).json()
            return (await http.get("/v1/subscriptions")).json()["subscriptions"]

    async def is_ready(self) -> bool:
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as http:
            try:
                return (await http.get("/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

    async def is_done(self) -> bool:
        return all(each["waiting"] == 0 for each in await self.subscriptions())


@contextmanager
def two(folder: Path, engine: Engine) -> Iterator[tuple[Deliver, Deliver]]:
    both = Deliver(folder, engine), Deliver(folder, engine)
    try:
        yield both
    finally:
        for each in both:
            each.clear()


async def publish(newsroom: Newsroom, store: Store, update: str) -> None:
    """Have each article posted to, and corrected: two messages, the second by itself."""
    for slug in SLUGS:
        opening = [published(slug=slug)] if update == "u1" else []
        await newsroom.file(
            *opening, posted(update, "One.", slug=slug), corrected(update, "Two.", slug=slug)
        )
        await store.render(slug)


def told(got: Sequence[Received]) -> dict[str, list[Received]]:
    """Return what was got of each article, in its order."""
    return {slug: [each for each in got if each.steps[0] == slug] for slug in SLUGS}


async def test_two_processes_send_each_message_once_and_one_goes_on_where_the_other_was_killed(
    redis: Redis, engine: Engine, tmp_path: Path
) -> None:
    newsroom = await open_newsroom(redis, LANES)
    store = Store(redis, newsroom.lanes)
    with two(tmp_path, engine) as (one, other):
        async with subscriber() as hook:
            await until(one.is_ready)
            await until(other.is_ready)
            made = await one.subscriptions(url=hook.url)
            # given articles that both tell of
            await publish(newsroom, store, "u1")
            await until(lambda: all(_end(each) == 3 for each in told(hook.got).values()))
            await until(other.is_done)
            ids = [each.message_id for each in hook.got]
            assert len(ids) == len(set(ids))

            # when one is killed while it has sent, and not yet noted, as many as may be out
            other.signal(signal.SIGSTOP)
            hook.hold, before = asyncio.Event(), len(hook.got)
            await publish(newsroom, store, "u2")
            await hook.getting(before + len(SLUGS))
            lost = [each.message_id for each in hook.got[before:]]
            one.signal(signal.SIGKILL)
            assert await asyncio.to_thread(one.process.wait, 30) == -signal.SIGKILL
            hook.hold.set()
            hook.hold = None
            await _let_leases_end(redis, SubscriptionKeys(made["id"]))
            other.signal(signal.SIGCONT)

            # then the other sends these again under their ids, and what follows
            await until(lambda: all(_end(each) == 5 for each in told(hook.got).values()))
            await until(other.is_done)
    twice = {name for name, times in Counter(each.message_id for each in hook.got).items()
             if times > 1}  # fmt: skip
    assert sorted(twice) == sorted(lost)
    assert len(hook.got) == len({each.message_id for each in hook.got}) + len(lost)
    # and each article's changes come one after the other
    for got in told(hook.got).values():
        steps = list(dict.fromkeys((each.message_id, *each.steps[1:]) for each in got))
        assert [start for _, start, _ in steps] == [0, *(end for _, _, end in steps[:-1])]


def _end(got: Sequence[Received]) -> int:
    return got[-1].steps[2] if got else 0


async def _let_leases_end(redis: Redis, keys: SubscriptionKeys) -> None:
    slugs: Any = await redis.hkeys(keys.leases)
    for slug in slugs:
        await redis.hset(keys.leases, slug, "whoever:0")
        await redis.zadd(keys.due, {slug: 0})
