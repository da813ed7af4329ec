"""`uvicorn benchmarks.peers.raw_asgi:app`: a stream as one writes it by hand, a queue a reader."""

from __future__ import annotations

import asyncio
from typing import Any

_readers: set[asyncio.Queue[bytes]] = set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer GET with a stream; send what is posted to all streams."""
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        body = (await receive())["body"]
        event = b"id: 1\nevent: change\ndata: " + body + b"\n\n"
        for reader in _readers:
            reader.put_nowait(event)
        await send({"type": "http.response.start", "status": 202})
        await send({"type": "http.response.body"})
        return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
    waiting: asyncio.Queue[bytes] = asyncio.Queue(100)
    _readers.add(waiting)
    telling = asyncio.create_task(_tell(waiting, send))
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        telling.cancel()
        _readers.discard(waiting)


async def _tell(waiting: asyncio.Queue[bytes], send: Any) -> None:
    while True:
        event = await waiting.get()
        await send({"type": "http.response.body", "body": event, "more_body": True})
