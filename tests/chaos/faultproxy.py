"""A proxy that stands between two who talk over TCP, and spoils it in ten ways.

It runs on an event loop in a thread of its own, so that tests may wait without holding it up. A
fault concerns what passes, or is opened, between `inject` and `heal`; a connection that a fault has
killed without a word stays dead, as a network's do.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

KINDS = (
    "delay",  # all that passes comes a quarter of a second late
    "jitter",  # or up to half a second, each piece by chance
    "bandwidth",  # thirty-two kibibytes a second
    "cut",  # connections are closed, and new ones at once
    "half-open",  # the server is gone, and the client is not told
    "reset",  # what is sent arrives; in place of the answer comes a reset
    "black hole",  # everything is taken, nothing arrives, nothing is closed
    "slow close",  # the server closes, and the client is told two seconds later
    "partial write",  # half of what is sent arrives, then the connection is closed
    "duplicate",  # each connection is made twice, and all that is sent arrives twice
)
DELAY_SECONDS, JITTER_SECONDS, LATE_SECONDS = 0.25, 0.5, 2.0
PIECE_BYTES = 1_024
PIECES_A_SECOND = 32
READ_BYTES = 65_536


class FaultProxy:
    """Passes on to *target*, a port of this machine; `port` is where it listens."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: int, seed: int = 1) -> None:
        self.target = target
        self.port = 0
        self.kind = ""
        self.hits = 0
        self.chance = random.Random(seed)
        self._loop = loop
        self._open: set[_Pair] = set()
        self._server: asyncio.Server | None = None

    @property
    def lines(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def start(self) -> None:
        self._run(self._start())

    def inject(self, kind: str) -> None:
        """Spoil things by *kind* from now on; count from 0 what it hits."""
        self._run(self._inject(kind))

    def heal(self) -> None:
        """Let everything pass again that is not dead already."""
        self._run(self._inject(""))

    def stop(self) -> None:
        self._run(self._stop())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _inject(self, kind: str) -> None:
        self.kind, self.hits = kind, 0
        for pair in list(self._open):
            pair.struck(kind)

    async def _stop(self) -> None:
        assert self._server
        self._server.close()
        for pair in list(self._open):
            pair.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.kind == "cut":
            self.hits += 1
            writer.transport.abort()
            return
        pair = _Pair(self, reader, writer)
        self._open.add(pair)
        try:
            await pair.pass_on()
        finally:
            pair.abort()
            self._open.discard(pair)


class _Pair:
    """A client's connection, and ours to the server, or two of them."""

    def __init__(
        self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._servers: list[asyncio.StreamWriter] = []
        self._dead = False
        self._late = False

    def struck(self, kind: str) -> None:
        """Let a fault of *kind* begin, which finds this connection open."""
        if kind in ("cut", "duplicate"):  # it has to come again to be there twice
            self._proxy.hits += kind == "cut"
            self.abort()
        elif kind in ("half-open", "slow close"):
            self._proxy.hits += 1
            self._dead, self._late = kind == "half-open", kind == "slow close"
            for server in self._servers:
                server.transport.abort()

    def abort(self) -> None:
        for each in (self._writer, *self._servers):
            each.transport.abort()

    async def pass_on(self) -> None:
        """Return when one side has closed, or both are dead and the client has given up."""
        if self._proxy.kind in ("black hole", "half-open"):
            self._proxy.hits += 1
            self._dead = True
            await self._swallow()
            return
        try:
            answers = await self._connect()
            if self._proxy.kind == "duplicate":
                self._proxy.hits += 1
                await self._connect()
        except OSError:
            return  # nobody listens, so nobody does here
        both = {
            asyncio.create_task(self._pump(self._reader, towards_server=True)),
            asyncio.create_task(self._pump(answers, towards_server=False)),
        }
        with suppress(ConnectionError):
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self._late:
                await asyncio.sleep(LATE_SECONDS)
            elif self._dead:
                await asyncio.wait(both)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)

    async def _connect(self) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy.target)
        if self._servers:  # what the other one answers is nobody's
            self._ignored = asyncio.create_task(_drained(reader))
        self._servers.append(writer)
        return reader

    async def _pump(self, reader: asyncio.StreamReader, *, towards_server: bool) -> None:
        writers = self._servers if towards_server else [self._writer]
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                await self._pass(data, writers, towards_server=towards_server)

    async def _pass(
        self, data: bytes, writers: list[asyncio.StreamWriter], *, towards_server: bool
    ) -> None:
        if self._dead:
            return
        proxy, kind = self._proxy, self._proxy.kind
        proxy.hits += kind not in ("", "cut", "half-open", "slow close", "duplicate")
        if kind == "black hole":
            self._dead = True
        elif kind == "reset" and not towards_server:
            _reset(self._writer)
        elif kind == "partial write":
            await _write(writers, data[: len(data) // 2])
            self.abort()
        elif kind == "bandwidth":
            for start in range(0, len(data), PIECE_BYTES):
                await _write(writers, data[start : start + PIECE_BYTES])
                await asyncio.sleep(1 / PIECES_A_SECOND)
        else:
            await asyncio.sleep(self._lateness(kind))
            await _write(writers, data)

    def _lateness(self, kind: str) -> float:
        return {
            "delay": DELAY_SECONDS,
            "jitter": self._proxy.chance.random() * JITTER_SECONDS,
        }.get(kind, 0.0)

    async def _swallow(self) -> None:
        with suppress(OSError):
            while await self._reader.read(READ_BYTES):
                pass


async def _drained(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(READ_BYTES):
            pass


async def _write(writers: list[asyncio.StreamWriter], data: bytes) -> None:
    for writer in writers:
        writer.write(data)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    line: socket.socket = writer.get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread, for proxies."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(_end, loop)
        thread.join()
        loop.close()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    async def end() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        loop.stop()

    loop.create_task(end())
