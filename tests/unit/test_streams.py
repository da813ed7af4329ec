"""Open streams: what waits for a slow reader, and when streams end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.deliver import streams
from services.deliver.core.frames import HEARTBEAT
from services.deliver.streams import Limits, StreamReader, Streams
from shared.contract.errors import Busy
from tests.waiting import until


class Line:
    """The way to one reader, which can be held up or broken off."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ended = False
        self.open = asyncio.Event()
        self.open.set()
        self.gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.open.wait()
        if message["body"]:
            self.sent.append(message["body"])
        self.ended = not message.get("more_body", False)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def reader() -> StreamReader:
    return StreamReader()


@pytest.fixture
async def serving(line: Line, reader: StreamReader) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(reader.serve(line.receive, line.send))
    yield task
    task.cancel()


async def quiet() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_frames_are_sent_in_order_and_the_stream_ends_cleanly(line, reader, serving):
    reader.write(b"one")
    await quiet()
    reader.write(b"two")
    reader.write(b"three")
    reader.end()
    await serving

    assert line.sent == [b"one", b"two", b"three"]
    assert line.ended


async def test_what_waits_for_a_slow_reader_is_bounded(line, reader, serving):
    line.open.clear()
    frame = bytes(streams.WAITING_BYTES // 4)
    reader.write(frame)
    await quiet()

    taken = [reader.write(frame) for _ in range(10)]

    assert taken == [True] * 3 + [False] * 7


async def test_a_frame_beyond_all_bounds_is_taken_alone(line, reader, serving):
    line.open.clear()
    reader.write(b"first")
    await quiet()
    huge = bytes(streams.WAITING_BYTES * 2)

    assert reader.write(huge)
    assert not reader.write(b"more")

    line.open.set()
    await quiet()
    assert line.sent == [b"first", huge]


async def test_a_reader_says_when_it_has_caught_up(line, reader, serving):
    calls: list[int] = []
    line.open.clear()
    reader.caught_up = lambda: calls.append(len(line.sent))
    reader.write(b"one")
    reader.write(b"two")
    await quiet()
    assert calls == []

    line.open.set()
    await quiet()

    assert calls == [2]


async def test_a_reader_that_has_gone_is_noticed(line, reader, serving):
    await quiet()

    line.gone.set()
    await asyncio.wait_for(serving, 1)


async def test_heartbeats_do_not_pile_up_behind_what_waits(line, reader, serving):
    reader.beat()
    await quiet()
    assert line.sent == [HEARTBEAT]

    line.open.clear()
    reader.write(b"one")
    await quiet()
    reader.write(b"two")
    reader.beat()
    line.open.set()
    await quiet()

    assert line.sent == [HEARTBEAT, b"one", b"two"]


class Counting:
    """A reader that counts what is done with it."""

    def __init__(self) -> None:
        self.beats = 0
        self.ended = False

    def write(self, frame: bytes) -> bool:
        raise AssertionError("nobody tells it anything")

    def beat(self) -> None:
        self.beats += 1

    def end(self) -> None:
        self.ended = True


def test_no_more_streams_are_opened_than_the_limit():
    open_streams = Streams(Limits(readers=1))
    with open_streams.opened(Counting()), pytest.raises(Busy), open_streams.opened(Counting()):
        pass

    with open_streams.opened(Counting()):
        pass


def test_closing_ends_all_streams_and_opens_no_more():
    open_streams, reader = Streams(Limits()), Counting()
    with open_streams.opened(reader):
        open_streams.close()
        assert reader.ended

    with pytest.raises(Busy), open_streams.opened(Counting()):
        pass


async def test_one_timer_keeps_streams_awake_and_ends_the_old():
    open_streams, reader = Streams(Limits(heartbeat=0.01, life=0.1)), Counting()
    keeping = asyncio.create_task(open_streams.keep())
    with open_streams.opened(reader):
        await until(lambda: reader.ended)
    keeping.cancel()

    assert reader.beats > 0
