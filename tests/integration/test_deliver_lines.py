"""Readers' lines on real sockets: caps, readers that take nothing or go, HTTP/1.0, the end."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from pathlib import Path

import httpx2
import orjson
import pytest

from services.deliver.streams import Limits
from tests.builders import SLUG, killed, posted, published, revised
from tests.integration.newsstand import LANES, Stream, free_port, open_newsstand, open_stream
from tests.integration.test_deliver_process import (
    SERVE_PATIENTLY,
    deliver,
    has_readers,
    is_ready,
    open_article,
)
from tests.waiting import until

LIVE = f"/articles/{SLUG}/live"
HOME, OTHER = "93.184.216.34", "93.184.216.35"


async def to_the_end(stream: Stream) -> None:
    while await stream.event():
        pass


async def test_one_address_has_room_for_some_and_others_for_theirs(redis, engine):
    # given an address with as many readers as it may have
    async with open_newsstand(redis, engine.url, Limits(an_address=2)) as stand:
        await stand.publish(published())
        first, _ = await stand.live(host=HOME), await stand.live("/live", host=HOME)

        # when more come from there, and one from elsewhere
        refused = [await stand.live(path, host=HOME) for path in (LIVE, "/live")]
        headers = {"X-Forwarded-For": HOME}
        waiting = await stand.http.get(f"/articles/{SLUG}/changes?since=1&wait=25", headers=headers)
        other = await stand.live(host=OTHER)

        # then they are asked to come back, in words and seconds, and the other is served
        assert [stream.status for stream in refused] == [429, 429]
        assert waiting.status_code == 429
        assert all(5 <= int(stream.headers["retry-after"]) <= 15 for stream in refused)
        assert "this address" in (await refused[0].body())["detail"]
        assert other.status == 200

        # and there is room again when one has gone
        first.close()

        async def has_room() -> bool:
            return (await stand.live(host=HOME)).status == 200

        await until(has_room)


async def test_a_long_poll_whose_reader_has_gone_gives_its_place_back(redis, engine):
    async with open_newsstand(redis, engine.url, Limits(readers=1)) as stand:
        await stand.publish(published())
        with pytest.raises(httpx2.ReadTimeout):
            await stand.http.get(f"/articles/{SLUG}/changes?since=1&wait=25", timeout=0.2)

        async def has_room() -> bool:
            return (await stand.live()).status == 200

        await until(has_room)


async def test_who_takes_nothing_is_cut_off_and_gives_its_place_back(redis, engine):
    # given a reader that reads nothing, and one that does
    async with open_newsstand(redis, engine.url, Limits(heartbeat=0.1)) as stand:
        await stand.publish(published(), posted("big", "x"))
        slow, quick = await stand.live(narrow=True), await stand.live()
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]

        # when more is told than its line holds, and heartbeats pass
        for number in range(12):
            await stand.publish(revised("big", text=f"{number} " + "word" * 40_000))
            assert await quick.event()

        async def is_gone() -> bool:
            return await stand.readers() == 1

        await until(is_gone)

        # then its end was no clean one, so it knows that it lacks something; the other goes on
        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await to_the_end(slow)
        await stand.publish(posted("u2"))
        event = await quick.event()
        assert event is not None
        assert event.data["to"] == 15


async def old_reader(port: int, path: str) -> socket.socket:
    """Ask in HTTP/1.0, as nginx does unless told otherwise; return when the stream has begun."""
    line, loop = socket.create_connection(("127.0.0.1", port)), asyncio.get_running_loop()
    line.sendall(f"GET {path} HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n".encode())
    line.setblocking(False)
    head = b""
    while not re.search(rb"\r\n\r\nretry: \d+\n\n", head):
        head += (some := await loop.sock_recv(line, 1))
        assert some, head
    assert b"chunked" not in head
    return line


async def everything(line: socket.socket) -> bytes:
    """Read until the end."""
    found, loop = b"", asyncio.get_running_loop()
    async with asyncio.timeout(30):
        while some := await loop.sock_recv(line, 1 << 16):
            found += some
    line.close()
    return found


async def test_readers_with_http_1_0_get_events_without_chunks(redis, engine):
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(published())
        lines = [await old_reader(stand.port, path) for path in (LIVE, f"{LIVE}?form=html")]

        await stand.publish(posted("u1"))
        loop = asyncio.get_running_loop()
        changes = [await loop.sock_recv(line, 1 << 16) for line in lines]
        await stand.publish(killed("Legal advice."))

        for line, change in zip(lines, changes, strict=True):
            body = (change + await everything(line)).decode()
            kinds = [each for each in body.splitlines() if each.startswith("event: ")]
            assert body.startswith("id: 2.")
            assert kinds == ["event: change", "event: killed"]
            assert body.endswith("\n\n")


async def test_a_pipelined_request_behind_a_stream_does_no_harm(redis, engine):
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(published())
        stream = await stand.live()
        stream.writer.write(f"GET {LIVE} HTTP/1.1\r\nHost: here\r\n\r\n".encode() * 40)

        await stand.publish(posted("u1"))

        event = await stream.event()
        assert event is not None
        assert event.data["to"] == 2
        stream.close()

        async def is_gone() -> bool:
            return await stand.readers() == 0

        await until(is_gone)


MANY = 400


async def test_told_to_stop_it_ends_hundreds_of_streams_cleanly(redis, engine, tmp_path: Path):
    # given a process with many open streams, some of all articles, that have much to take
    port = free_port()
    newsroom, store = await open_article(redis)
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings, serve=SERVE_PATIENTLY) as process:
        await until(lambda: is_ready(port))
        paths = [LIVE, f"{LIVE}?form=html", LIVE, "/live"] * (MANY // 4)
        streams = [await open_stream(port, path) for path in paths]
        await until(lambda: has_readers(port, MANY))
        for number in range(3):
            await newsroom.file(posted(f"u{number}", "word" * 40_000))
            await store.render(SLUG)

        # when it is told to stop
        process.send_signal(signal.SIGTERM)

        # then each ends as streams end, and so does the process, although it would wait for ever
        for stream in streams:
            await to_the_end(stream)
        assert await asyncio.to_thread(process.wait, 30) == 0
        for stream in streams:
            stream.close()
    events = [orjson.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events[-1] == "service.stopped"
    assert not [event for event in events if "fail" in event or "cut" in event]


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
    return int(size) * 1_024


async def test_readers_that_take_nothing_do_not_fill_its_memory(redis, engine, tmp_path: Path):
    # given readers that stop reading; each gets bytes of its own, as its HTTP has no chunks
    port, readers, changes, size = free_port(), 150, 60, 40_000
    newsroom, store = await open_article(redis)
    settings = {"redis_url": engine.url, "lanes": LANES, "deliver_listen": f"127.0.0.1:{port}"}
    with deliver(tmp_path / "log", settings) as process:
        await until(lambda: is_ready(port))
        lines = [await old_reader(port, LIVE) for _ in range(readers)]
        for line in lines:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await until(lambda: has_readers(port, readers))
        watching = await open_stream(port, LIVE)
        before = resident(process.pid)

        # when far more is told than they take
        for number in range(changes):
            await newsroom.file(posted(f"u{number}", f"{number}" + "word" * (size // 4)))
            await store.render(SLUG)
            assert await watching.event()

        # then little of it waits for them
        grown = resident(process.pid) - before
        assert grown < readers * changes * size / 10
        for line in lines:
            line.close()
        watching.close()


async def test_readers_that_break_off_while_their_streams_begin_leave_nothing(
    redis, engine, capsys
):
    async with open_newsstand(redis, engine.url) as stand:
        await stand.publish(published())
        for number in range(60):
            line = socket.create_connection(("127.0.0.1", stand.port))
            path = (LIVE, "/live")[number % 2]
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
            for _ in range(number % 7):
                await asyncio.sleep(0)
            line.close()

        async def all_gone() -> bool:
            return await stand.readers() == 0

        await until(all_gone)
        assert (await stand.live()).status == 200
    assert "request.failed" not in capsys.readouterr().out
