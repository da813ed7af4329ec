"""Servers that pass on what is posted to one of many articles: ours as a whole, and peers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.peers.servers import NCHAN, TEXT, listens, missing, running
from shared.runtime.engine import Engine
from tests.builders import posted, published
from tests.integration.newsstand import free_port
from tests.stack import running as stack_running


@dataclass(frozen=True, slots=True)
class Passing:
    """One that runs: streams at *path* of *port*, its `%d` an article's number.

    *request* makes what is posted to *posts_to*: an update with a mark, of an article.
    """

    port: int
    path: str
    posts_to: int
    request: Callable[[int, int], bytes]
    engine: str | None = None


Opening = Callable[[Path, int], AbstractAsyncContextManager[Passing]]


@asynccontextmanager
async def ours(folder: Path, articles: int) -> AsyncIterator[Passing]:
    """All of it, as `up` runs it, with one renderer, on its own engine at `fsync`."""
    with stack_running(folder) as stack:
        slugs = [f"article-{number}" for number in range(articles)]
        stack.file([published(slug=slug) for slug in slugs])
        for slug in slugs:
            await asyncio.to_thread(stack.page, slug, 1)

        def request(mark: int, article: int) -> bytes:
            text = f"{TEXT}zzq{mark}z"
            body = orjson.dumps(posted(f"u{mark}", text, slug=slugs[article]))
            return _post("/v1/events", "application/cloudevents+json", body)

        path = "/articles/article-%d/live"
        yield Passing(stack.deliver_port, path, stack.ingest_port, request, stack.redis_url)


@asynccontextmanager
async def nchan(folder: Path, articles: int) -> AsyncIterator[Passing]:
    """Nginx with Debian's nchan, one worker, a channel an article."""
    del articles
    port = free_port()
    (folder / "nginx.conf").write_text(f"""
        load_module {NCHAN}; daemon off; worker_processes 1; worker_rlimit_nofile 16000;
        {"user root root;" if not os.getuid() else ""} pid {folder}/pid; error_log stderr crit;
        events {{ worker_connections 16000; }}
        http {{
            access_log off; keepalive_timeout 600s; keepalive_requests 1000000;
            client_body_temp_path {folder}/body; client_body_buffer_size 64k;
            server {{
                listen 127.0.0.1:{port} backlog=4096;
                location ~ ^/pub/(\\d+)$ {{
                    nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 20;
                }}
                location ~ ^/live/(\\d+)$ {{
                    nchan_subscriber eventsource; nchan_channel_id $1;
                    nchan_subscriber_first_message newest;
                }}
            }}
        }}
    """)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with running(command):
        await listens(port)
        yield Passing(port, "/live/%d", port, lambda mark, one: _plain(f"/pub/{one}", mark))


@asynccontextmanager
async def stored_asgi(folder: Path, articles: int) -> AsyncIterator[Passing]:
    """A process that adds to a stream of an engine that syncs, then tells."""
    del articles
    port = free_port()
    words = ("--port", str(port), "--lifespan", "off", "--log-level", "error", "--no-access-log")
    command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.stored_asgi:app", *words]
    with Engine(folder) as engine, running(command, os.environ | {"REDIS_URL": engine.url}):
        await listens(port)
        yield Passing(port, "/live/%d", port, lambda mark, one: _plain(f"/live/{one}", mark))


def _plain(path: str, mark: int) -> bytes:
    body = orjson.dumps({"article": "harbour-bridge", "text": f"{TEXT}zzq{mark}z"})
    return _post(path, "application/json", body)


def _post(path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


PEERS: dict[str, Opening] = {
    "writethru": ours,
    "nchan": nchan,
    "ASGI by hand, XADD first": stored_asgi,
}


def absent() -> dict[str, str]:
    """Return why some are not run here."""
    said = {name: why for name, why in missing().items() if name in PEERS}
    pins = "not started: it takes Django 3.2 and Wagtail 2.16 apart; its pages ask every 3 s"
    return said | {"wagtail-live": pins}
