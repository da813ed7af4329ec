"""What readers of one article cost the origin, from the sizes of what a real deliver sends.

The article has the reference page's size and gets an update a minute, and what is counted is a
minute of readers who have it open: as streams, asking through shared caches, and by long-polling.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages import BROWSER, LANES, PATH, publish, serving, words
from services.deliver.core import frames
from services.deliver.streams import Limits
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, posted
from tests.integration.newsroom import open_newsroom

READERS = (1_000, 10_000, 100_000, 1_000_000)
#: How often a page asks whose streams are blocked, and how long a long poll waits.
POLL_SECONDS, WAIT_SECONDS = 15, 25
#: Places of a content network that ask the origin, each for itself.
CACHES = 20
#: For how long they answer by themselves (`core/caching.py`): `changes` for one second.
KEPT_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of answers on the line, heads included; *frame* is one update on an open stream."""

    page: int
    page_known: int
    stream: int
    frame: int
    heartbeat: int
    change: int
    nothing: int


@dataclass(frozen=True, slots=True)
class Minute:
    """What the origin does in a minute, and what the caches before it do."""

    requests: float
    sent: float
    cached_requests: float = 0
    cached_sent: float = 0


def streams(readers: int, of: Sizes, limits: Limits) -> Minute:
    """Return a minute of *readers* on streams, which begin anew when their time is over."""
    anew = readers * 60 / limits.life
    each = of.frame + of.heartbeat * (60 / limits.heartbeat - 1)
    return Minute(anew, readers * each + anew * of.stream)


def polling(readers: int, of: Sizes) -> Minute:
    """Return a minute of *readers* who ask through caches.

    Each cache asks once a second and address, as long as somebody asks it. All readers stand at
    two versions: those who have been told, and those who haven't.
    """
    asked = readers * 60 / POLL_SECONDS
    told, others = readers, asked - readers
    addresses = 60 + POLL_SECONDS  # seconds of a minute in which an address is asked for
    requests = min(asked, CACHES * addresses / KEPT_SECONDS)
    of_change = min(told, CACHES * POLL_SECONDS / KEPT_SECONDS)
    sent = of_change * of.change + (requests - of_change) * of.nothing
    return Minute(requests, sent, asked, told * of.change + others * of.nothing)


def waiting(readers: int, of: Sizes) -> Minute:
    """Return a minute of *readers* by long-polling: in vain as often as it fits, then told."""
    in_vain = 60 // WAIT_SECONDS
    return Minute(readers * (in_vain + 1), readers * (of.change + in_vain * of.nothing))


async def measure(folder: Path, tell: Callable[[str], None]) -> Sizes:
    """Ask a real deliver for each thing, and count what comes."""
    with Engine(folder) as engine, serving(engine.url) as (port, _):
        async with connect(engine.url) as redis:
            newsroom = await open_newsroom(redis, LANES)
            version = await publish(newsroom, Store(redis, newsroom.lanes), port)
            page = await _answer(port, PATH)
            etag = _header(page, b"etag")
            known = await _answer(port, PATH, f"If-None-Match: {etag}")
            since = f"/articles/{SLUG}/changes?form=html&since="
            live = f"/articles/{SLUG}/live?form=html"
            reader, writer = await _asked(port, live)
            head = await reader.readuntil(b"\r\n\r\n")
            retry = await _chunk(reader)
            await newsroom.file(posted("u-next", words(95)))
            await Store(redis, newsroom.lanes).render(SLUG)
            frame = await _chunk(reader)
            writer.close()
            change = await _answer(port, f"{since}{version}")
            nothing = await _answer(port, f"{since}{version + 1}")
    tell("asked for everything once")
    return Sizes(
        *(len(page), len(known), len(head) + len(retry), len(frame), len(frames.HEARTBEAT)),
        *(len(change), len(nothing)),
    )


async def _asked(
    port: int, path: str, *lines: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    browser = [f"{name}: {value}" for name, value in BROWSER.items()]
    head = [f"GET {path} HTTP/1.1", "Host: news.example", *browser, *lines, "", ""]
    writer.write("\r\n".join(head).encode())
    return reader, writer


async def _answer(port: int, path: str, *lines: str) -> bytes:
    """Return all that comes, to the byte."""
    reader, writer = await _asked(port, path, *lines, "Connection: close")
    try:
        return await reader.read()
    finally:
        writer.close()


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    """Return one chunk, with what is around it."""
    line = await reader.readline()
    return line + await reader.readexactly(int(line, 16) + 2)


def _header(answer: bytes, name: bytes) -> str:
    lines = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next(line.partition(b": ")[2] for line in lines if line.startswith(name)).decode()


def table(of: Sizes, limits: Limits | None = None) -> Iterator[str]:
    """Yield sizes and costs as tables in Markdown."""
    limits = limits or Limits()
    yield "| one answer | bytes on the line |"
    yield "|---|---:|"
    for name, size in _named(of).items():
        yield f"| {name} | {size:,} |"
    yield ""
    yield "| readers | by | requests to the origin | bytes from it | between caches and readers |"
    yield "|---:|---|---:|---:|---:|"
    for readers in READERS:
        for name, minute in (
            ("streams", streams(readers, of, limits)),
            ("polling", polling(readers, of)),
            ("long-polling", waiting(readers, of)),
        ):
            beside = ""
            if minute.cached_requests:
                beside = f"{minute.cached_requests:,.0f}, {_bytes(minute.cached_sent)}"
            counts = f"{minute.requests:,.0f} | {_bytes(minute.sent)} | {beside}"
            yield f"| {readers:,} | {name} | {counts} |"


def _named(of: Sizes) -> Mapping[str, int]:
    return {
        "the page": of.page,
        "the page, 304": of.page_known,
        "a stream's beginning": of.stream,
        "an update, on a stream": of.frame,
        "a heartbeat": of.heartbeat,
        "an update, as `changes`": of.change,
        "nothing new, as `changes`": of.nothing,
    }


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1_000 or unit == "GB":
            return f"{count:,.1f} {unit}" if count < 100 else f"{count:,.0f} {unit}"
        count /= 1_000
    raise AssertionError
