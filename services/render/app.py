"""The render service, wired: engine, store, read loops, sweeper, watchdog."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from redis.asyncio import Redis

from services.render.archiving import Archiver
from services.render.consume import Consumer, make_groups
from services.render.destroy import Destroyer
from services.render.rendering import Rendering
from services.render.store import Store
from services.render.sweep import Sweeper, Timing
from shared.runtime.clock import new_name
from shared.runtime.health import Check, check_engine
from shared.runtime.installation import Installation, await_installation
from shared.runtime.internal import Internal, serving
from shared.runtime.internal_port import bound
from shared.runtime.keys import ARCHIVING, REDACTING
from shared.runtime.lanes import Lanes
from shared.runtime.lease import Lease
from shared.runtime.redis import connect
from shared.runtime.settings import Settings

#: "Try again": a supervisor starts us anew, and a new start makes what was missing.
EXIT_FAULT = 75
WATCH_SECONDS = 1.0

log = structlog.get_logger()

#: Says what is wrong with a part, if anything is.
Fault = Callable[[], str | None]


class App:
    """One renderer. Any number of them may run; none needs to know of the others."""

    def __init__(self, settings: Settings, timing: Timing) -> None:
        self._settings = settings
        self._timing = timing
        self._internal = Internal("render")

    async def run(self) -> int:
        """Render until told to stop; return the exit status, not 0 when a part has died.

        Raises:
            SettingsError: the installation has other settings.
        """
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        stop = asyncio.create_task(stopped.wait())
        work = asyncio.create_task(self._work())
        await asyncio.wait({stop, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            stop.cancel()
            return work.result()
        work.cancel()
        await asyncio.wait({work})
        log.info("service.stopped")
        return 0

    async def _work(self) -> int:
        """Return when a part has died."""
        redis = connect(self._settings.engine_url)
        with bound(self._settings.metrics_listen, "render") as listener:
            async with redis, serving(self._internal, listener):
                return await self._render(redis)

    async def _render(self, redis: Redis) -> int:
        here = await await_installation(redis, self._settings.lanes)
        lanes, archive = here.lanes, self._settings.archive
        rendering = Rendering(redis, lanes, Store(redis, lanes, archive=archive))
        await make_groups(redis, lanes)
        consumer = Consumer(self._settings.engine_url, lanes, _name(), rendering)
        sweeper = Sweeper(redis, lanes, rendering, self._timing)
        destroyer = Destroyer(redis, lanes, Lease(redis, REDACTING, new_name()))
        async with (
            _running(consumer),
            _task(sweeper.run()) as sweeping,
            _task(destroyer.run()) as destroying,
            _task(self._archive(redis, here)) as archiving,
        ):
            fault = partial(_fault, consumer, sweeping, destroying, archiving)
            checks = partial(_checks, redis, lanes, fault, rendering.fault)
            self._internal.watch(redis, lanes, checks)
            log.info("service.started", consumer=_name(), lanes=len(lanes))
            return await _watch(fault)

    async def _archive(self, redis: Redis, here: Installation) -> None:
        """Archive what has been closed for long; without an archive, wait for ever."""
        if (archive := self._settings.archive) is None:
            await asyncio.Event().wait()
            return
        archiver = Archiver(redis, here, archive, self._settings.archive_after)
        await archiver.run(Lease(redis, ARCHIVING, new_name()))


def create_app(settings: Settings, timing: Timing | None = None) -> App:
    return App(settings, timing or Timing())


async def _watch(find_fault: Fault) -> int:
    """Try nothing clever: a new process is the one repair that always works."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if fault := find_fault():
            log.critical("service.failed", reason=fault)
            return EXIT_FAULT


def _fault(
    consumer: Consumer,
    sweeping: asyncio.Task[None],
    destroying: asyncio.Task[None],
    archiving: asyncio.Task[None],
) -> str | None:
    if sweeping.done():
        return "the sweeper has ended"
    if archiving.done():
        return "articles are not archived"
    return "redactions are not carried out" if destroying.done() else consumer.fault()


async def _checks(
    redis: Redis, lanes: Lanes, find_fault: Fault, find_stopped: Fault
) -> Mapping[str, Check]:
    fault, stopped = find_fault(), find_stopped()
    reads = Check(fault is None, fault or "all lanes are read and swept")
    folds = Check(stopped is None, stopped or "no lane is stopped")
    return {**await check_engine(redis, lanes), "renderer": reads, "fold": folds}


@asynccontextmanager
async def _running(consumer: Consumer) -> AsyncIterator[None]:
    try:
        await consumer.start()
        yield
    finally:
        await consumer.stop()


@asynccontextmanager
async def _task(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


def _name() -> str:
    """Name this process among the group's consumers."""
    return f"{socket.gethostname()}-{os.getpid()}"
