"""What one installation is, and what its engine must be like: found out before anything starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from structlog.testing import capture_logs

from shared.runtime.durability import durability_of
from shared.runtime.engine import Engine
from shared.runtime.health import check_engine
from shared.runtime.installation import await_installation, open_installation
from shared.runtime.keys import META
from shared.runtime.lanes import SLOTS, Lanes, choose_tags
from shared.runtime.redis import connect
from shared.runtime.settings import SettingsError
from tests.stack import free_ports
from tests.waiting import until


@pytest.fixture(scope="module")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine whose settings a test may change."""
    with Engine(tmp_path_factory.mktemp("own")) as engine:
        yield engine


@pytest.fixture
async def own(own_engine: Engine) -> AsyncIterator[Redis]:
    async with connect(own_engine.url) as client:
        yield client


async def test_an_installation_is_made_once_however_many_begin_at_once(redis: Redis) -> None:
    opened = await asyncio.gather(*(open_installation(redis, 12) for _ in range(20)))

    assert len({each.key for each in opened}) == 1
    assert len({each.lanes.tags for each in opened}) == 1
    assert len(opened[0].key) == 32


async def test_an_installation_stays_as_it_was_made(redis: Redis) -> None:
    assert await open_installation(redis, 12) == await open_installation(redis, 12)


async def test_another_number_of_lanes_is_refused(redis: Redis) -> None:
    await open_installation(redis, 12)

    with pytest.raises(SettingsError, match=r"WRITETHRU_LANES is 6.*set it to 12"):
        await open_installation(redis, 6)


async def test_what_a_newer_writethru_made_is_left_alone(redis: Redis) -> None:
    await open_installation(redis, 12)
    await redis.hset(META, "schema", "2")

    with pytest.raises(SettingsError, match="start a newer writethru"):
        await open_installation(redis, 12)


@pytest.mark.parametrize("lanes", [1, 2, 3, 12, 64, 1024])
def test_lanes_lie_evenly_over_a_cluster(lanes: int) -> None:
    slots = sorted(key_slot(f"wt:{tag}".encode()) for tag in choose_tags(lanes))

    share = SLOTS / lanes
    assert len(set(slots)) == lanes
    assert [int(slot // share) for slot in slots] == list(range(lanes))


def test_articles_spread_over_the_lanes() -> None:
    lanes = Lanes(choose_tags(12))

    found = [lanes.of(f"story-{n}") for n in range(1200)]

    assert set(found) == set(lanes)
    assert max(found.count(lane) for lane in lanes) < 150


async def test_an_engine_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    [port] = free_ports(1)
    engine = Engine(tmp_path, port)
    with capture_logs() as logs:
        async with connect(f"redis://127.0.0.1:{port}", retries=0) as redis:
            opening = asyncio.create_task(await_installation(redis, 3))
            await until(lambda: [line for line in logs if line["event"] == "engine.awaited"])

            with engine:
                installation = await asyncio.wait_for(opening, 20)

    assert len(installation.lanes) == 3


async def test_an_engine_that_refuses_us_is_not_waited_for(engine: Engine, redis: Redis) -> None:
    await redis.acl_setuser("reader", enabled=True, nopass=True, keys="*", categories=["+@read"])
    try:
        for user in ("nobody:secret", "reader:x"):
            url = engine.url.replace("//", f"//{user}@")
            async with connect(url, retries=0) as client:
                with pytest.raises(SettingsError, match=r"^WRITETHRU_REDIS_URL: ") as refusal:
                    await await_installation(client, 3)
            assert "secret" not in str(refusal.value)
    finally:
        await redis.acl_deluser("reader")


async def test_an_engine_as_we_start_it_keeps_what_fsync_promises(own: Redis) -> None:
    assert await durability_of(own, "fsync") == "fsync"


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")],
)
async def test_an_engine_that_can_not_keep_it_is_refused_with_the_remedy(
    own: Redis, name: str, value: str
) -> None:
    before = (await own.config_get(name))[name]
    assert before is not None
    await own.config_set(name, value)
    try:
        with pytest.raises(SettingsError) as refusal:
            await durability_of(own, "fsync")
        assert await durability_of(own, "memory") == "memory"
    finally:
        await own.config_set(name, before)

    said = str(refusal.value)
    assert said.startswith("WRITETHRU_DURABILITY is fsync")
    assert f"it has {name} {value}; give it appendonly yes, appendfsync always" in said
    assert said.endswith("or set WRITETHRU_DURABILITY=memory")


async def test_an_engine_that_does_not_say_is_called_unverified(
    own_engine: Engine, own: Redis
) -> None:
    rights = ["+@all", "-config"]
    await own.acl_setuser("managed", enabled=True, nopass=True, keys="*", commands=rights)
    url = own_engine.url.replace("//", "//managed:x@")
    with capture_logs() as logs:
        async with connect(url) as managed:
            level = await durability_of(managed, "fsync")

    assert level == "unverified"
    assert [line["event"] for line in logs] == ["durability.unverified"]


async def test_an_engine_that_does_not_answer_makes_a_service_unready_before_a_probe_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.runtime.health.PATIENCE_SECONDS", 0.1)
    [port] = free_ports(1)
    async with connect(f"redis://127.0.0.1:{port}") as gone:
        checks = await asyncio.wait_for(check_engine(gone, Lanes(("1",))), 2)

    assert not checks["engine"].ok
    assert "does not answer" in checks["engine"].detail
