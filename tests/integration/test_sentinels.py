"""A primary that sentinels watch over: clients find it, and who takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError

from shared.runtime import sentinels
from shared.runtime.engine import Engine
from shared.runtime.installation import await_installation, open_installation
from shared.runtime.redis import connect, place
from shared.runtime.settings import SettingsError
from tests.builders import posted, published
from tests.integration.newsstand import open_newsstand
from tests.nodes import SERVICE, Watched, watched
from tests.waiting import until


@pytest.fixture(scope="module")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watched(tmp_path_factory.mktemp("trio")) as made:
        yield made


async def test_an_unknown_service_is_a_wrong_setting(trio: Watched):
    async with connect(trio.url.replace(SERVICE, "newsrom")) as client:
        with pytest.raises(SettingsError) as refused:
            await await_installation(client, 12)

    assert str(refused.value) == (
        f"WRITETHRU_REDIS_URL: the sentinels know no service newsrom; name one of: {SERVICE}"
    )


async def test_sentinels_that_are_away_are_an_engine_that_is_away():
    async with connect(f"redis+sentinel://127.0.0.1:1/{SERVICE}", retries=0) as client:
        with pytest.raises(MasterNotFoundError, match="no sentinel answers"):
            await client.ping()


async def test_a_server_is_no_sentinel(engine: Engine):
    server = engine.url.removeprefix("redis://").removesuffix("/0")
    async with connect(f"redis+sentinel://{server}/{SERVICE}") as client:
        with pytest.raises(SettingsError) as refused:
            await open_installation(client, 12)

    assert "what answers is no sentinel" in str(refused.value)
    assert "name the sentinels, not the servers" in str(refused.value)


async def test_the_primary_is_named_with_its_service(trio: Watched):
    async with connect(trio.url) as client:
        await client.ping()

        assert place(client) == f"{SERVICE} at 127.0.0.1:{trio.primary.port}"


async def test_a_former_primary_that_goes_on_as_one_is_not_written_to(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def address(of: Engine) -> tuple[str, int]:
        return "127.0.0.1", int(of.url.removesuffix("/0").rpartition(":")[2])

    async def discover(*_: object) -> tuple[str, int]:
        return named

    monkeypatch.setattr(sentinels._Sentinels, "discover_master", discover)
    monkeypatch.setattr(sentinels, "LOOK_SECONDS", 0.0)
    with Engine(tmp_path) as other:
        async with (
            connect(f"redis+sentinel://127.0.0.1:1/{SERVICE}") as client,
            connect(engine.url) as former,
            connect(other.url) as primary,
        ):
            # given connections to a primary, one in use and one idle, when sentinels name another
            named = address(engine)
            blocked: Any = client.blpop(["nothing"], 0.5)
            in_use = asyncio.create_task(blocked)
            await client.set("who", "former")
            named = address(other)

            # then that one is soon asked, and the former one never again
            await until(lambda: _asked(client, primary))
            await in_use
            await asyncio.gather(*(client.incr("count") for _ in range(5)))
            assert await primary.get("count") == b"5"
            assert not await former.exists("count")


async def _asked(client: Redis, server: Redis) -> bool:
    await client.set("who", "primary")
    return bool(await server.exists("who"))


async def test_readers_are_told_to_start_over_when_a_failover_has_lost_what_they_read(
    trio: Watched,
):
    first = trio.primary
    async with connect(trio.url) as redis, open_newsstand(redis, trio.url) as stand:
        await stand.publish(published(), posted("u1", "A ferry has sailed."))
        for node in trio.nodes:
            await until(lambda: node.ask("HGET", stand.newsroom.keys().state, "version") == b"2")  # noqa: B023
            if node != first:  # what is filed from now on, it does not hear of
                node.ask("REPLICAOF", "127.0.0.1", 1)
        await stand.publish(posted("u2", "All ferries have sailed."))
        stream = await stand.live()
        assert (await stand.json())["version"] == 3

        first.kill()
        await until(lambda: trio.primary != first, 20)
        await stand.publish(posted("u2", "No ferry sails."))
        event = await stream.event(20)
        page = await stand.json()

    assert event
    assert event.kind == "reset"
    assert page["version"] == 3
    assert page["updates"][-1]["text"] == "No ferry sails."
