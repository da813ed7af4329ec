"""One connection for what many ask: quicker where it is there, and never missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.runtime import pipe as pipes
from shared.runtime.engine import Engine
from shared.runtime.pipe import Pipe
from shared.runtime.redis import LOST, connect
from shared.runtime.scripts import Script
from tests.waiting import until

APPEND = ("filing.lua", "append.lua")


@pytest.fixture
async def pipe(redis: Redis) -> AsyncIterator[Pipe]:
    async with open_pipe(redis) as made:
        yield made


class open_pipe:  # noqa: N801 -- it is used as a function
    """A pipe that is there."""

    def __init__(self, redis: Redis) -> None:
        self.pipe = Pipe(redis)

    async def __aenter__(self) -> Pipe:
        await until(lambda: opened(self.pipe))
        return self.pipe

    async def __aexit__(self, *_: object) -> None:
        await self.pipe.aclose()


async def opened(pipe: Pipe) -> bool:
    sent = pipe.send([("PING",)])
    return sent is not None and await sent == [b"PONG"]


async def test_what_is_asked_in_one_turn_is_read_by_the_engine_at_once(redis, pipe):
    await redis.set("a", "1")

    async def reads() -> int:
        return int((await redis.info("stats"))["total_reads_processed"])

    before = await reads()
    found = await asyncio.gather(*(pipe.ask(("GET", "a"), ("INCR", "b")) for _ in range(50)))
    after = await reads()

    assert [one for one, _ in found] == [b"1"] * 50
    assert [other for _, other in found] == list(range(1, 51))
    assert after - before <= 3, "one for all, and those of the counting"


async def test_an_error_stands_in_its_place_and_spoils_nothing(pipe):
    found = await pipe.ask(("SET", "a", "x"), ("INCR", "a"), ("GET", "a"))

    assert (found[0], found[2]) == (b"OK", b"x")
    assert isinstance(found[1], ResponseError)


async def test_before_it_is_open_the_client_is_asked(redis):
    pipe = Pipe(redis)
    try:
        assert await pipe.ask(("SET", "a", "x"), ("GET", "a")) in ([True, b"x"], [b"OK", b"x"])
        await until(lambda: opened(pipe))
    finally:
        await pipe.aclose()


async def test_what_was_under_way_when_the_engine_died_is_asked_again(tmp_path: Path):
    with Engine(tmp_path) as engine:
        redis = connect(engine.url)
        async with open_pipe(redis) as pipe:
            await redis.set("a", "x")
            engine.kill()
            asked = asyncio.create_task(pipe.ask(("GET", "a")))
            await asyncio.sleep(0)
            engine.start()

            assert await asked == [b"x"]
            await until(lambda: opened(pipe))
        await redis.aclose()


async def test_an_engine_that_is_silent_is_given_up(redis, pipe, monkeypatch):
    monkeypatch.setattr(pipes, "SOCKET_TIMEOUT_SECONDS", 0.05)
    await redis.client_pause(10_000)
    try:
        sent = pipe.send([("SET", "a", "x")])
        with pytest.raises(LOST):
            await sent
    finally:
        await redis.client_unpause()

    await until(lambda: opened(pipe))


async def test_who_stops_waiting_takes_nobody_elses_answer(redis, pipe):
    await redis.set("a", "1")
    await redis.set("b", "2")
    gone = asyncio.create_task(pipe.ask(("GET", "a")))
    other = asyncio.create_task(pipe.ask(("GET", "b")))
    await asyncio.sleep(0)
    gone.cancel()

    assert await other == [b"2"]


async def test_a_script_goes_by_it_and_is_brought_where_the_engine_has_forgotten_it(redis, pipe):
    script, calls = Script("services.ingest", *APPEND, pipe=pipe), [(["{a}n"], [2])]
    script.text = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
    script.sha = await redis.script_load(script.text)
    await redis.script_flush()

    assert await script.run_all(redis, calls) == [2]
    await redis.script_flush()
    assert await script.run_all(redis, calls * 3) == [4, 6, 8]


async def test_a_step_that_the_engine_will_not_run_raises_why(redis, pipe):
    script = Script("services.ingest", *APPEND, pipe=pipe)
    keys: Any = ["{a}n"] * 9
    await redis.config_set("maxmemory", "1")
    try:
        for many in (1, 2):
            with pytest.raises(ResponseError, match="maxmemory"):
                await script.run_all(redis, [(keys, ["story"])] * many)
    finally:
        await redis.config_set("maxmemory", "0")
