"""`uvicorn benchmarks.peers.stored_asgi:app`: an event is added to a Redis stream, then told.

What one writes first: one process, a queue a reader. Nothing is validated, keyed, rendered or
caught up with, and who comes back has missed what was told meanwhile.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from typing import Any

from redis.asyncio import Redis

_readers: dict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)
_redis = Redis.from_url(os.environ["REDIS_URL"])


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer GET of a path with its stream; store what is posted to it, and tell its readers."""
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        body = (await receive())["body"]
        await _redis.xadd("events", {"data": body})
        event = b"id: 1\nevent: change\ndata: " + body + b"\n\n"
        for reader in _readers[scope["path"]]:
            reader.put_nowait(event)
        await send({"type": "http.response.start", "status": 202})
        await send({"type": "http.response.body"})
        return
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
    waiting: asyncio.Queue[bytes] = asyncio.Queue(100)
    _readers[scope["path"]].add(waiting)
    telling = asyncio.create_task(_tell(waiting, send))
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        telling.cancel()
        _readers[scope["path"]].discard(waiting)


async def _tell(waiting: asyncio.Queue[bytes], send: Any) -> None:
    while True:
        event = await waiting.get()
        await send({"type": "http.response.body", "body": event, "more_body": True})
