"""Six nodes and one client: what is done on one engine is done on a cluster, whatever it does."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.cli.stored import articles
from services.render.rewrite import rewrite_files
from services.render.store import Store
from services.render.verify import verify
from shared.runtime.cluster_map import slot_of
from shared.runtime.durability import durability_of
from shared.runtime.engine import Engine
from shared.runtime.installation import await_installation, open_installation
from shared.runtime.lanes import Lanes, choose_tags
from shared.runtime.redis import connect, place, primaries
from shared.runtime.settings import SettingsError
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import open_newsstand
from tests.nodes import ClusterOfNodes, cluster
from tests.waiting import until

SLUGS = [f"story-{number}" for number in range(40)]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterOfNodes]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def many(nodes: ClusterOfNodes) -> AsyncIterator[Redis]:
    """Return a client of the empty cluster."""
    async with connect(nodes.url) as client:
        for primary in await primaries(client):
            await primary.flushall()
        yield client


async def test_the_lanes_lie_evenly_over_the_nodes(nodes: ClusterOfNodes):
    lanes = Lanes(choose_tags(12))

    places = Counter(nodes.owner(slot_of(lane.events)).port for lane in lanes)

    assert sorted(places.values()) == [4, 4, 4]


async def test_an_article_goes_the_whole_way(nodes: ClusterOfNodes, many: Redis):
    async with open_newsstand(many, nodes.url) as stand:
        await stand.publish(*(published(slug=slug) for slug in SLUGS[:5]))
        stream = await stand.live(f"/articles/{SLUGS[0]}/live")
        await stand.publish(posted("u1", "In the ferry's wake.", slug=SLUGS[0]))

        event = await stream.event()
        latest = (await stand.json("/latest.json"))["articles"]

    assert event
    assert event.data["to"] == 2
    assert {head["article"] for head in latest} == set(SLUGS[:5])


async def test_what_is_stored_is_found_and_verified_on_all_nodes(many: Redis):
    newsroom = await open_newsroom(many, 12)
    store = Store(many, newsroom.lanes)
    for slug in SLUGS:
        await newsroom.file(published(slug=slug))
        await store.render(slug)

    found = await articles(many, newsroom.lanes, ())

    assert found == sorted(SLUGS)
    assert [await verify(many, newsroom.lanes, newsroom.key, slug) for slug in found] == [
        ([], [])
    ] * 40


async def test_a_script_that_one_node_forgot_is_told_it_again(many: Redis):
    newsroom = await open_newsroom(many, 12)
    await newsroom.file(*(published(slug=slug) for slug in SLUGS))

    for primary in await primaries(many):
        await primary.script_flush()

    await newsroom.file(*(posted("u1", slug=slug) for slug in SLUGS))


async def test_a_transaction_over_nodes_is_refused_and_one_on_a_node_is_whole(many: Redis):
    async with many.pipeline(transaction=True) as step:
        step.time()
        step.rpush("{a}:list", 1)
        step.hset("{a}:list", "not", "a hash")
        step.lrange("{a}:list", 0, -1)
        (seconds, _), length, error, held = await step.execute(raise_on_error=False)
    async with many.pipeline(transaction=True) as step:
        step.set("{a}:one", 1)
        step.set("{b}:other", 1)
        with pytest.raises(ValueError, match="several slots"):
            await step.execute()

    assert seconds > 0
    assert (length, held) == (1, [b"1"])
    assert isinstance(error, ResponseError)
    assert not await many.exists("{a}:one")


async def test_who_changes_what_another_has_just_changed_starts_over(many: Redis):
    tries = []

    async def step(pipe):
        value = int(await pipe.get("{a}:count") or 0)
        tries.append(value)
        if len(tries) == 1:
            await many.set("{a}:count", 7)
        pipe.multi()
        pipe.set("{a}:count", value + 1)

    await many.transaction(step, "{a}:count")

    assert tries == [0, 7]
    assert await many.get("{a}:count") == b"8"


async def test_every_primary_must_keep_what_was_promised(nodes: ClusterOfNodes, many: Redis):
    nodes.nodes[1].ask("CONFIG SET", "appendfsync", "everysec")
    try:
        with pytest.raises(SettingsError) as refused:
            await durability_of(many, "fsync")
    finally:
        nodes.nodes[1].ask("CONFIG SET", "appendfsync", "always")

    assert f"127.0.0.1:{nodes.nodes[1].port}" in str(refused.value)
    assert await durability_of(many, "fsync") == "fsync"


async def test_what_was_overwritten_leaves_the_files_of_replicas_too(
    nodes: ClusterOfNodes, many: Redis
):
    await many.set("{wt:1}:text", "the source's name")
    await many.set("{wt:1}:text", "")
    await until(lambda: len(_with(nodes, b"the source's name")) == 2)

    assert await rewrite_files(many) == "rewritten"

    assert _with(nodes, b"the source's name") == []


def _with(nodes: ClusterOfNodes, text: bytes) -> list[int]:
    """Return the ports of the nodes with *text* in a file."""
    files = {node.port: node.folder.glob("appendonlydir/*") for node in nodes.nodes}
    return [port for port, of in files.items() if any(text in each.read_bytes() for each in of)]


async def test_a_lane_is_moved_to_another_node_while_it_is_filed_and_read(
    nodes: ClusterOfNodes, many: Redis
):
    newsroom = await open_newsroom(many, 12)
    store = Store(many, newsroom.lanes)
    lane = newsroom.keys(SLUG).lane
    names = (f"moved-{number}" for number in range(400))
    slugs = [slug for slug in names if newsroom.keys(slug).lane == lane]
    await newsroom.file(*(published(slug=slug) for slug in slugs))
    slot = slot_of(lane.events)
    source = nodes.owner(slot)
    target = next(node for node in nodes.nodes[:3] if node != source)

    async with asyncio.TaskGroup() as both:
        filing = both.create_task(_file_and_render(newsroom, store, slugs))
        for _ in nodes.move(slot, target):
            await asyncio.sleep(0)
        await filing

    assert nodes.owner(slot) == target
    for slug in slugs:
        assert await verify(many, newsroom.lanes, newsroom.key, slug) == ([], [])
    for _ in nodes.move(slot, source):
        pass


async def _file_and_render(newsroom: Newsroom, store: Store, slugs: list[str]) -> None:
    for number in range(5):
        for slug in slugs:
            await newsroom.file(posted(f"u{number}", slug=slug))
            await store.render(slug)


async def test_a_node_that_stands_alone_is_no_cluster(engine: Engine):
    alone = engine.url.removeprefix("redis://").removesuffix("/0")
    async with connect(f"redis+cluster://{alone}") as client:
        with pytest.raises(SettingsError) as refused:
            await await_installation(client, 12)

    assert str(refused.value) == (
        f"WRITETHRU_REDIS_URL: {alone} belongs to no cluster; write redis://{alone} "
        "for an engine that stands alone"
    )


async def test_one_node_of_a_cluster_is_no_engine_to_stand_on(nodes: ClusterOfNodes):
    node = f"127.0.0.1:{nodes.nodes[0].port}"
    async with connect(f"redis://{node}/0") as client:
        with pytest.raises(SettingsError) as refused:
            await open_installation(client, 12)

    assert str(refused.value) == (
        f"WRITETHRU_REDIS_URL: {node} is one node of a cluster; write redis+cluster://{node}"
    )


async def test_a_cluster_is_named_by_all_its_primaries(nodes: ClusterOfNodes, many: Redis):
    await many.ping()

    assert place(many) == "cluster of " + ", ".join(
        f"127.0.0.1:{node.port}" for node in nodes.nodes[:3]
    )
