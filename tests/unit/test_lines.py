"""A reader's line: what is written to it, and what becomes of a reader that takes nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.deliver.core import frames
from services.deliver.lines import WAITING_BYTES, Line
from tests.waiting import until


@dataclass
class Host:
    """Where lines belong, taking notes."""

    caught: list[Line] = field(default_factory=list)
    gone: list[Line] = field(default_factory=list)

    def heartbeat(self) -> bytes:
        return frames.HEARTBEAT

    def caught_up(self, line: Line) -> None:
        self.caught.append(line)

    def left(self, line: Line) -> None:
        self.gone.append(line)


@dataclass
class Way:
    """A line, its host, and the socket at the reader's end."""

    line: Line
    host: Host
    transport: Any
    connections: set[Any]
    reader: socket.socket

    def begin(self, *, chunked: bool = True) -> None:
        self.line.begin(self.host, self.transport, self.connections, chunked=chunked)

    async def take(self, size: int = 1 << 20) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.reader, size)

    async def rest(self) -> bytes:
        """Take all until the end."""
        found = b""
        while some := await self.take():
            found += some
        return found

    def fill(self, frame: bytes) -> int:
        """Write until the line takes no more; return how much it took."""
        taken = 0
        while self.line.write(frame):
            taken += len(frame)
        return taken


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        with socket.create_connection(door.getsockname()) as reader:
            ours, _ = door.accept()
            reader.setblocking(False)
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
            way = Way(Line(), Host(), transport, set(), reader)
            yield way
            if not way.host.gone:
                transport.abort()


async def test_frames_are_sent_as_they_are_and_the_response_ends_cleanly(way):
    way.begin()
    assert way.connections == {way.line}

    for word in (b"one", b"two"):
        assert way.line.write(frames.chunk(word))
    way.line.end()

    assert await way.rest() == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    await until(lambda: way.host.gone == [way.line])
    assert not way.connections


async def test_a_reader_whose_http_has_no_chunks_gets_what_is_in_them(way):
    way.begin(chunked=False)

    way.line.write(frames.event("change", b"{}"))
    way.line.beat()
    way.line.end()

    assert await way.rest() == b"event: change\ndata: {}\n\n:\n\n"


async def test_what_waits_for_a_reader_that_takes_nothing_is_bounded(way):
    way.begin()
    frame = frames.chunk(bytes(4_096))

    way.fill(frame)

    assert 0 < way.transport.get_write_buffer_size() <= WAITING_BYTES + len(frame)


async def test_a_frame_beyond_all_bounds_is_taken_where_nothing_waits(way):
    way.begin()
    huge = frames.chunk(bytes(8 << 20))

    assert way.line.write(huge)
    assert not way.line.write(frames.HEARTBEAT)

    taken = 0
    while taken < len(huge):
        taken += len(await way.take())
    await until(lambda: way.host.caught == [way.line])


async def test_a_reader_says_when_it_has_caught_up_and_can_take_more_then(way):
    way.begin()
    taken = way.fill(frames.chunk(bytes(4_096)))
    await asyncio.sleep(0)
    assert way.host.caught == []

    while taken:
        taken -= len(await way.take())

    await until(lambda: way.host.caught == [way.line])
    assert way.line.write(frames.HEARTBEAT)
    assert await way.take() == frames.HEARTBEAT


async def test_who_takes_nothing_from_one_heartbeat_to_the_next_is_cut_off(way):
    way.begin()
    way.fill(frames.chunk(bytes(4_096)))

    way.line.beat()
    await asyncio.sleep(0)
    assert not way.transport.is_closing()

    way.line.beat()
    await until(lambda: way.host.gone == [way.line])


async def test_who_takes_little_is_left_its_time(way):
    # given a reader with much to take
    way.begin()
    way.line.write(frames.chunk(bytes(8 << 20)))

    for _ in range(3):
        # when it has taken some between two heartbeats
        way.line.beat()
        left = way.transport.get_write_buffer_size()
        while way.transport.get_write_buffer_size() == left:
            await way.take()

        # then it may go on
        assert not way.transport.is_closing()


async def test_an_end_comes_after_what_waits(way):
    way.begin()
    taken = way.fill(frames.chunk(bytes(4_096)))
    way.line.end()

    found = await way.rest()

    assert len(found) > taken
    assert found.endswith(frames.LAST_CHUNK)
    assert way.host.caught == []


async def test_an_end_is_waited_for_once(way):
    way.begin()
    way.fill(frames.chunk(bytes(4_096)))
    way.line.end()
    await asyncio.sleep(0)
    assert way.host.gone == []

    way.line.end()

    await until(lambda: way.host.gone == [way.line])


async def test_who_does_not_take_its_end_is_cut_off_by_the_heartbeat(way):
    way.begin()
    way.fill(frames.chunk(bytes(4_096)))
    way.line.end()

    way.line.beat()
    way.line.beat()

    await until(lambda: way.host.gone == [way.line])


async def test_after_the_end_nothing_is_written(way):
    way.begin()
    way.line.end()

    assert not way.line.write(frames.HEARTBEAT)
    way.line.beat()

    assert await way.rest() == frames.LAST_CHUNK


async def test_an_end_before_the_beginning_ends_it_when_it_begins(way):
    way.line.beat()
    way.line.end()

    way.begin()

    assert await way.rest() == frames.LAST_CHUNK
    await until(lambda: way.host.gone == [way.line])


async def test_a_reader_that_has_gone_is_noticed_once(way):
    way.begin()

    way.reader.close()

    await until(lambda: way.host.gone)
    way.line.end()
    await asyncio.sleep(0)
    assert way.host.gone == [way.line]
    assert not way.connections


async def test_the_server_that_ends_does_not_cut_short_who_was_told_to_end(way):
    way.begin()
    way.line.write(frames.chunk(b"last words"))
    way.line.end()
    way.line.shutdown()

    assert (await way.rest()).endswith(b"last words\r\n0\r\n\r\n")
