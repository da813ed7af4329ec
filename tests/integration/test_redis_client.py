"""The engine's client: what we rely on, and what redis-py alone does not keep."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvloop

from shared.runtime.engine import Engine
from shared.runtime.redis import BLOCK_MILLISECONDS, LOST, SOCKET_TIMEOUT_SECONDS, connect


@pytest.mark.parametrize("passes", range(20))
async def test_a_task_that_is_cancelled_in_the_middle_of_a_command_ends(engine, passes):
    # given a task that does nothing but talk to the engine
    client = connect(engine.url)

    async def talk() -> None:
        while True:
            await client.ping()

    task = asyncio.create_task(talk())
    for _ in range(200 + passes):
        await asyncio.sleep(0)
    # when it is cancelled, whatever it is in the middle of
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    # then it ends, and the client is as good as before
    assert task in done
    assert task.cancelled()
    assert await client.ping()
    await client.aclose()


async def test_a_task_that_was_cancelled_may_still_tidy_up(engine):
    # given a task that writes a last word when it is cancelled
    client = connect(engine.url)

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await client.set("last word", "bye")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    # when it is
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    # then the word was written
    assert await client.get("last word") == b"bye"
    await client.aclose()


def test_a_blocking_read_comes_back_before_the_sockets_patience_ends():
    assert BLOCK_MILLISECONDS / 1_000 < SOCKET_TIMEOUT_SECONDS / 2


def test_a_line_that_is_closed_under_us_is_a_lost_connection(engine: Engine) -> None:
    async def send_on_a_closed_line() -> None:
        async with connect(engine.url, retries=0) as redis:
            await redis.ping()
            connection: Any = await redis.connection_pool.get_connection()
            connection._writer.transport.abort()
            await asyncio.sleep(0)
            await connection.send_command("PING")

    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        pytest.raises(LOST),
    ):
        runner.run(send_on_a_closed_line())
