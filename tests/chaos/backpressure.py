"""Renderers stand still while more is filed than they could take: what happens, and afterwards.

First, what one renderer takes is measured; then all are stopped, and twice as much is offered for
minutes. Ingest must say `busy` in time, pages must stay up, and in the end all must be rendered.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from redis.asyncio import Redis

from shared.runtime.backlog import read_waiting
from shared.runtime.installation import open_installation
from shared.runtime.redis import connect
from tests.chaos.checker import Checker, read_journal, verify
from tests.chaos.desk import Journal, Load, Newsroom
from tests.chaos.faults import PLACES
from tests.chaos.findings import Findings
from tests.stack import Stack, running
from tests.waiting import until

DESKS = 16
LOOK_SECONDS = 0.5
DRAIN_SECONDS = 600.0
#: Offered while it is measured how much one renderer takes: more than any does.
UNBOUNDED = 100_000.0


@dataclass
class Pressed:
    """What was seen. Bytes are the engine's; *slowest* is the seconds of the slowest page."""

    most: int
    capacity: float = 0.0
    offered: float = 0.0
    seconds: float = 0.0
    busy_after: float | None = None
    retry_after: str = ""
    waiting: int = 0
    accepted: int = 0
    busy: int = 0
    pages: int = 0
    pages_down: int = 0
    slowest: float = 0.0
    bytes_before: int = 0
    bytes_most: int = 0
    drain_seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)


def run(
    folder: Path, seconds: float, most: int, calibrate: float = 10.0, rate: float | None = None
) -> Pressed:
    """Stop renderers for so many *seconds* under twice what one takes, or under *rate*."""
    pressed = Pressed(most)
    environ = {"WRITETHRU_MAX_WAITING": str(most), "WRITETHRU_CHECKS": "off"}
    with running(folder, "--workers", "1", **environ) as stack:
        asyncio.run(_run(stack, folder, pressed, seconds, calibrate, rate))
    return pressed


async def _run(
    stack: Stack,
    folder: Path,
    pressed: Pressed,
    seconds: float,
    calibrate: float,
    rate: float | None,
) -> None:
    journal = Journal(folder / "journal.ndjson")
    async with connect(stack.redis_url) as redis:
        if rate is None:
            pressed.capacity = await _capacity(stack, redis, journal, pressed, calibrate)
        pressed.offered = rate or 2 * pressed.capacity
        await _press(stack, redis, journal, pressed, seconds)
        began = time.monotonic()
        await until(lambda: _drained(redis), DRAIN_SECONDS)
        pressed.drain_seconds = time.monotonic() - began
    journal.close()
    await asyncio.to_thread(_check, stack, folder / "journal.ndjson", pressed.findings)


async def _capacity(
    stack: Stack, redis: Redis, journal: Journal, pressed: Pressed, seconds: float
) -> float:
    """Return how many events a second go all the way to pages, filed as fast as can be."""
    load = Load(desks=4, rate=UNBOUNDED)
    newsroom = Newsroom(stack.ingest, journal, pressed.findings, 1, load, prefix="measured")
    began = time.monotonic()
    filing = asyncio.create_task(newsroom.file())
    await asyncio.sleep(seconds)
    newsroom.close()
    await filing
    await until(lambda: _drained(redis), DRAIN_SECONDS)
    return journal.acked / (time.monotonic() - began)


async def _press(
    stack: Stack, redis: Redis, journal: Journal, pressed: Pressed, seconds: float
) -> None:
    load = Load(desks=DESKS, rate=pressed.offered, patience=seconds + DRAIN_SECONDS)
    newsroom = Newsroom(stack.ingest, journal, pressed.findings, 2, load, prefix="pressed")
    filing = asyncio.create_task(newsroom.file())
    page = await _a_page(stack, newsroom)
    before = journal.acked
    pressed.bytes_before = await _bytes(redis)
    renderers = stack.processes(PLACES["render"])
    for pid in renderers:
        os.kill(pid, signal.SIGSTOP)
    try:
        await _look_on(stack, redis, newsroom, pressed, page, seconds)
    finally:
        for pid in renderers:
            os.kill(pid, signal.SIGCONT)
    pressed.accepted, pressed.busy = journal.acked - before, newsroom.met["busy"]
    newsroom.close()
    await filing


async def _a_page(stack: Stack, newsroom: Newsroom) -> str:
    """Return an article that is served."""
    async with httpx2.AsyncClient(base_url=stack.deliver, trust_env=False) as client:

        async def served() -> str:
            slug = next(iter(newsroom.open), "")
            answer = await client.get(f"/articles/{slug}.json")
            return slug if answer.status_code == httpx2.codes.OK else ""

        return await until(served)


async def _look_on(
    stack: Stack, redis: Redis, newsroom: Newsroom, pressed: Pressed, page: str, seconds: float
) -> None:
    began = time.monotonic()
    lanes = (await open_installation(redis, 12)).lanes
    async with httpx2.AsyncClient(base_url=stack.deliver, trust_env=False, timeout=30) as client:
        while (gone := time.monotonic() - began) < seconds:
            asked = time.monotonic()
            answer = await client.get(f"/articles/{page}.txt")
            pressed.pages += 1
            pressed.pages_down += answer.status_code != httpx2.codes.OK
            pressed.slowest = max(pressed.slowest, time.monotonic() - asked)
            pressed.waiting = max(pressed.waiting, await read_waiting(redis, lanes))
            pressed.bytes_most = max(pressed.bytes_most, await _bytes(redis))
            if pressed.busy_after is None and newsroom.met["busy"]:
                pressed.busy_after, pressed.retry_after = gone, newsroom.retry_after
            await asyncio.sleep(LOOK_SECONDS)
    pressed.seconds = time.monotonic() - began


async def _bytes(redis: Redis) -> int:
    facts: Any = await redis.info("memory")
    return int(facts["used_memory"])


async def _drained(redis: Redis) -> bool:
    return await read_waiting(redis, (await open_installation(redis, 12)).lanes) == 0


def _check(stack: Stack, path: Path, findings: Findings) -> None:
    verify(stack.redis_url, findings)
    checker = Checker(stack.redis_url, stack.deliver, findings)
    for slug, client in read_journal(path).items():
        checker.check(slug, client)
    checker.close()


def rows(pressed: Pressed) -> Iterator[tuple[str, str]]:
    """Yield the figures, each with its name."""
    if pressed.capacity:
        yield "events a second that one renderer took", f"{pressed.capacity:,.0f}"
    yield "offered a second, with no renderer", f"{pressed.offered:,.0f}"
    yield "for seconds", f"{pressed.seconds:,.0f}"
    yield "events that may wait", f"{pressed.most:,}"
    after = "never" if pressed.busy_after is None else f"{pressed.busy_after:.0f} s"
    yield "first `busy` after", f"{after}, Retry-After {pressed.retry_after}"
    yield "accepted meanwhile", f"{pressed.accepted:,}"
    yield "receipts that said `busy`", f"{pressed.busy:,}"
    yield "events that waited, at most", f"{pressed.waiting:,}"
    yield (
        "engine's memory before, and at most",
        (f"{pressed.bytes_before / 2**20:.1f} MB, {pressed.bytes_most / 2**20:.1f} MB"),
    )
    yield "pages asked for, and not served", f"{pressed.pages:,}, {pressed.pages_down:,}"
    yield "the slowest page", f"{pressed.slowest:.2f} s"
    yield "seconds until all was rendered", f"{pressed.drain_seconds:.1f}"
    yield "promises broken", f"{len(pressed.findings):,}"
