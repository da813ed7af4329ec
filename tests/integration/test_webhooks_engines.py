"""Webhooks on other engines: one that knows its users' rights, and a cluster of six nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from shared.runtime.outlet_keys import SubscriptionKeys
from shared.runtime.redis import connect, primaries
from tests.builders import SLUG, corrected, posted, published
from tests.integration.guarded import Guarded, guarded_engine
from tests.integration.hooks import LOOPBACK, QUICK, ask, quiet, shown, subscribe, subscriber
from tests.integration.newsstand import Newsstand, open_newsstand
from tests.nodes import ClusterOfNodes, cluster
from tests.waiting import until

FERRY = "ferry-strike"


async def everything(redis: Redis, url: str) -> None:
    """Do all there is to do with webhooks, by a deliver that is at *url*."""
    async with subscriber() as hook:
        async with standing(redis, url) as stand:
            made = await subscribe(stand, hook.url, payload="full")
            path = f"/{made['id']}"
            await stand.publish(published(), published(slug=FERRY))
            await hook.getting_all_but_silence(stand, 2)
            hook.answers = lambda _: 500
            await stand.publish(posted("u1", "One."), corrected("u1", "Two.", "Not one."))
            await until(lambda: _given_up(stand, made))
            hook.answers = lambda _: 204
            assert (await ask(stand, f"{path}/dead/replay")).status_code == 202
            await until(lambda: quiet(stand))
            assert (await ask(stand, f"{path}/test")).json()["outcome"] == "delivered"
            assert (await ask(stand, f"{path}/replay")).status_code == 202
            for act in ("rotate", "pause", "resume"):
                assert (await ask(stand, f"{path}/{act}")).status_code == 200
        # and when outboxes lost what was in them
        await stand.publish(posted("u2", "Three."), posted("u1", "One.", slug=FERRY))
        for lane in stand.newsroom.lanes:
            await redis.delete(lane.changes)
        async with standing(redis, url) as stand:
            await until(lambda: {(SLUG, 4), (FERRY, 2)} <= {each.steps[::2] for each in hook.got})
            await until(lambda: quiet(stand))
            one = f"/v1/subscriptions{path}"
            assert (await stand.http.delete(one)).status_code == 204
            assert not await redis.exists(SubscriptionKeys(made["id"]).told)


@asynccontextmanager
async def standing(redis: Redis, url: str) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, url, pace=QUICK, no_auth=True, **LOOPBACK) as stand:
        yield stand


async def _given_up(stand: Newsstand, made: dict[str, object]) -> bool:
    return bool((await shown(stand, made))["dead"])


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with guarded_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[ClusterOfNodes]:
    with cluster(tmp_path) as made:
        yield made


async def test_deliver_does_all_its_work_for_subscribers_on_its_rights(guarded: Guarded) -> None:
    async with connect(f"redis://root:any@127.0.0.1:{guarded.port}/0") as root:
        await everything(root, guarded.url("deliver"))
    assert guarded.denied() == []


async def test_subscribers_are_told_on_a_cluster_as_on_one_engine(nodes: ClusterOfNodes) -> None:
    async with connect(nodes.url) as redis:
        assert len(await primaries(redis)) == 3
        await everything(redis, nodes.url)
