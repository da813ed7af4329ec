"""A deliver service on a real port, with a newsroom and a renderer behind it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
import uvicorn
from redis.asyncio import Redis

from services.deliver.app import PACE, create_app
from services.deliver.protocol import DeliverProtocol
from services.deliver.streams import Limits
from services.deliver.webhooks.service import Pace
from services.render.store import Store
from shared.contract.access import Scope
from shared.runtime.api_keys import create
from shared.runtime.settings import Listen, Settings
from tests.builders import SLUG, Envelope
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.waiting import until

LANES = 2


@dataclass
class Event:
    """A server-sent event as a reader's program has it."""

    kind: str
    id: str
    data: Any


@dataclass
class Stream:
    """One open stream, read from its socket as it comes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: Mapping[str, str]
    comments: int = 0
    retry: int | None = None
    _text: bytes = field(default=b"", repr=False)

    async def event(self, limit: float = 30.0) -> Event | None:
        """Return the next event; None at a clean end."""
        async with asyncio.timeout(limit):
            while True:
                block = await self._block()
                if block is None:
                    return None
                facts = dict(line.split(": ", 1) for line in block if not line.startswith(":"))
                self.comments += sum(line.startswith(":") for line in block)
                if "retry" in facts:
                    self.retry = int(facts["retry"])
                if "data" in facts:
                    data = orjson.loads(facts["data"])
                    return Event(facts.get("event", "message"), facts.get("id", ""), data)

    async def lines(self, limit: float = 30.0) -> list[str]:
        """Return what comes next, event or not."""
        async with asyncio.timeout(limit):
            return await self._block() or []

    async def _block(self) -> list[str] | None:
        while b"\n\n" not in self._text:
            size = int(await self.reader.readline(), 16)
            chunk = (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                assert not self._text, "the stream ended within an event"
                return None
            self._text += chunk
        block, _, self._text = self._text.partition(b"\n\n")
        return block.decode().split("\n")

    async def body(self) -> Any:
        """Return the JSON of an answer that is no stream."""
        return orjson.loads(await self.reader.readexactly(int(self.headers["content-length"])))

    def close(self) -> None:
        self.writer.close()


@dataclass
class Newsstand:
    """What a test can do: file events and have them rendered, and read as readers do."""

    newsroom: Newsroom
    store: Store
    port: int
    http: httpx2.AsyncClient
    server: uvicorn.Server
    serving: asyncio.Task[None]
    streams: list[Stream] = field(default_factory=list)

    async def publish(self, *envelopes: Envelope) -> None:
        """File *envelopes* and render after each, so that each is a version of its own."""
        for envelope in envelopes:
            await self.newsroom.file(envelope)
            await self.store.render(envelope["subject"])

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(path, headers=named)

    async def json(self, path: str = f"/articles/{SLUG}.json") -> Any:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for what readers see when the hub has heard of it."""
        await until(condition)

    async def live(
        self,
        path: str = f"/articles/{SLUG}/live",
        *,
        narrow: bool = False,
        last: str = "",
        host: str = "",
    ) -> Stream:
        """Open a stream; it is watched for once this returns."""
        stream = await open_stream(self.port, path, narrow=narrow, last=last, host=host)
        self.streams.append(stream)
        return stream

    async def readers(self) -> int:
        """Return how many live readers there are."""
        checks = (await self.get("/readyz")).json()["checks"]
        return int(checks["readers"]["detail"].split()[0])

    async def stop(self) -> None:
        """Have the readers go, then end the server."""
        for stream in self.streams:
            stream.close()
        self.server.should_exit = True
        await self.serving


async def open_stream(
    port: int, path: str, *, narrow: bool = False, last: str = "", host: str = "", cookie: str = ""
) -> Stream:
    """Ask for *path* and read the answer's headers.

    *narrow*: its line holds little; *last* is the id of the last event that it got before; *host*
    is where it comes from, as a proxy says.
    """
    reader, writer = await _connect(port, narrow)
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: text/event-stream"]
    if last:
        lines.append(f"Last-Event-ID: {last}")
    if cookie:
        lines.append(f"Cookie: {cookie}")
    if host:
        lines.append(f"X-Forwarded-For: {host}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except BaseException:
        writer.close()
        raise
    facts = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return Stream(reader, writer, int(head[0].split()[1]), facts)


async def _connect(port: int, narrow: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    line = socket.socket()
    try:
        if narrow:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", port))
        return await asyncio.open_connection(sock=line)
    except BaseException:
        line.close()
        raise


async def a_key(
    stand: Newsstand, *scopes: Scope, articles: tuple[str, ...] = ("*",)
) -> dict[str, str]:
    """Make a key and return the header that brings it."""
    token = (await create(stand.newsroom.redis, "a desk", scopes or ("read",), articles))[1]
    return {"authorization": f"Bearer {token}"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def open_newsstand(
    redis: Redis, url: str, limits: Limits | None = None, pace: Pace = PACE, **more: Any
) -> AsyncIterator[Newsstand]:
    """Serve on a free port until the end of the test; *more* are settings."""
    newsroom = await open_newsroom(redis, LANES)
    port = free_port()
    settings = Settings(
        redis_url=url, lanes=LANES, deliver_listen=Listen(host="127.0.0.1", port=port), **more
    )
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, limits or Limits(), pace=pace),
            port=port,
            http=DeliverProtocol,
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
    )
    serving = asyncio.create_task(server.serve())
    base = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=10) as http:
        stand = Newsstand(newsroom, Store(redis, newsroom.lanes), port, http, server, serving)
        await until(lambda: _ready(stand))
        try:
            yield stand
        finally:
            await stand.stop()


async def _ready(stand: Newsstand) -> bool:
    assert not stand.serving.done(), "the server has ended"
    with suppress(httpx2.TransportError):
        return (await stand.get("/readyz")).status_code == 200
    return False
