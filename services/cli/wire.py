"""The demo's own wire: a feed on a port of this machine, to which an entry is added now and then.

It stands for what others serve to a newsroom. `examples/feed_server.py` is one to play with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from shared.article.dates import rfc3339

#: What the wire says, one after the other.
NEWS = (
    "The first tram has left the depot, after eleven hours without one.",
    "Line 4 runs as far as the north quay; passengers walk the last stop.",
    "Two of five ferries sail again, at half their timetable.",
    "The port counts 14 ships that wait outside for the wind to drop.",
    "Line 9 is back; lines 2 and 6 follow within the hour, the operator says.",
    "The wind has dropped to 20 knots, and the pilots are on their way out.",
)
_LIMIT_SECONDS = 5.0


@dataclass
class Wire:
    """A feed of what has been said so far; *url* is where it is."""

    url: str = ""
    entries: list[dict[str, str]] = field(default_factory=list)

    def say(self, text: str, at: datetime) -> None:
        """Add an entry."""
        name, stamp = f"entry-{len(self.entries) + 1}", rfc3339(at)
        self.entries.append({"id": name, "content_text": text, "date_published": stamp})

    def document(self) -> bytes:
        """Return it as a JSON Feed, the newest first."""
        newest = list(reversed(self.entries))
        version = "https://jsonfeed.org/version/1.1"
        return orjson.dumps({"version": version, "title": "Harbour wire", "items": newest})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request with it, whatever that asks for."""
        with suppress(OSError, EOFError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_LIMIT_SECONDS):
                await reader.readuntil(b"\r\n\r\n")
                body = self.document()
                head = "HTTP/1.1 200 OK\r\ncontent-type: application/feed+json\r\n"
                head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(host: str) -> AsyncIterator[Wire]:
    """Serve a wire on a free port of *host* for as long as this lasts."""
    wire = Wire()
    server = await asyncio.start_server(wire.answer, host, 0)
    try:
        wire.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/feed.json"
        yield wire
    finally:
        server.close()
