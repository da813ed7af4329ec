"""Work in the foreground: signals end it once, and in order."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from services.cli import foreground


async def interrupted(number: signal.Signals) -> None:
    """Send us *number*, and let it arrive."""
    os.kill(os.getpid(), number)
    for _ in range(3):
        await asyncio.sleep(0)


def test_work_that_ends_by_itself_was_ended_by_no_signal():
    async def work() -> None:
        await asyncio.sleep(0)

    assert foreground.run(work) is None


@pytest.mark.parametrize("number", foreground.STOPPING)
def test_a_signal_ends_the_work_and_is_told(number):
    async def work() -> None:
        await interrupted(number)
        await asyncio.get_running_loop().create_future()

    assert foreground.run(work) is number


def test_a_second_signal_does_not_cut_the_end_short():
    ended = []

    async def work() -> None:
        try:
            await interrupted(signal.SIGINT)
            await asyncio.get_running_loop().create_future()
        finally:
            await interrupted(signal.SIGINT)
            ended.append("in order")

    foreground.run(work)

    assert ended == ["in order"]


def test_an_error_in_the_work_comes_out():
    async def work() -> None:
        raise LookupError("no such ferry")

    with pytest.raises(LookupError, match="no such ferry"):
        foreground.run(work)
