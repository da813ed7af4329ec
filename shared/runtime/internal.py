"""The internal port of a process, for those who run it: `/metrics`, `/healthz`, `/readyz`.

It is open before the engine answers, and says so; nothing on it is for readers or publishers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from math import nan
from typing import Any, NamedTuple

import structlog
import uvicorn
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.runtime.backlog import read_behind, read_holding, read_lengths, read_wakeups, together
from shared.runtime.health import PATIENCE_SECONDS, Check, report
from shared.runtime.keys import INBOX
from shared.runtime.lanes import Lanes
from shared.runtime.metric import Service
from shared.runtime.metrics import MEDIA_TYPE, exposition, show
from shared.runtime.pulling import read_pulls
from shared.runtime.punctuality import read_punctual
from shared.runtime.redis import primaries
from shared.runtime.subscribers import read_subscribers

Checks = Callable[[], Awaitable[Mapping[str, Check]]]

_UNKEPT = {"cache-control": "no-store"}
_log = structlog.get_logger()


class Internal:
    """What one process, which is *service*, says of itself."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.place: tuple[str, int] | None = None
        """Host and port, while it is served."""
        self._engine: tuple[Redis, Lanes] | None = None
        self._checks: Checks = _starting

    def watch(self, redis: Redis, lanes: Lanes, checks: Checks) -> None:
        """Look at the engine from now on; *checks* say whether the service is ready."""
        self._engine = redis, lanes
        self._checks = checks
        # Not before: of a start that fails there is one line, which says why.
        host, port = self.place or (None, None)
        _log.info("metrics.served", host=host, port=port)

    def app(self) -> Starlette:
        """Return it as an application."""
        paths = {"/metrics": self._metrics, "/healthz": self._healthy, "/readyz": self._ready}
        return Starlette(routes=[Route(path, answer) for path, answer in paths.items()])

    async def _metrics(self, _request: Request) -> Response:
        _show_engine(await self._look())
        return Response(exposition(self.service), 200, _UNKEPT, MEDIA_TYPE)

    async def _healthy(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_UNKEPT)

    async def _ready(self, _request: Request) -> Response:
        status, body = report(await self._checks())
        return Response(body, status, _UNKEPT, "application/json")

    async def _look(self) -> _Engine:
        """Look at the engine; if it does not answer, only that is known."""
        if self._engine is None:
            return _Engine()
        redis, lanes = self._engine
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                behind = await read_behind(redis, lanes)
                infos = [await node.info() for node in await primaries(redis)]
                own = await self._look_at_own(redis, lanes)
        except ResponseError:  # it answers, but does not let us look
            return _Engine(up=1)
        except (RedisError, OSError):  # a TimeoutError is among the latter
            return _Engine()
        fullest = max(infos, key=_fullness)
        return _Engine(
            up=1,
            lag=max(lane.seconds for lane in behind),
            dirty=sum(lane.many for lane in behind),
            memory_used=fullest["used_memory"],
            memory_max=fullest["maxmemory"],
            uptime=min(info["uptime_in_seconds"] for info in infos),
            **own,
        )

    async def _look_at_own(self, redis: Redis, lanes: Lanes) -> Mapping[str, float]:
        """Look at what is this service's alone to say."""
        match self.service:
            case "ingest":
                holding = together(await read_holding(redis, lanes))
                pulls = await read_pulls(redis, lanes)
                return {
                    "inbox": await redis.xlen(INBOX),
                    "held": holding.many,
                    "overdue": holding.overdue,
                    "failing": pulls.failing,
                    "tick_late": pulls.late,
                }
            case "render":
                wakeups = await read_wakeups(redis, lanes)
                events, changes = await read_lengths(redis, lanes)
                waiting = sum(lane.unread + lane.pending for lane in wakeups)
                kept = await read_punctual(redis, lanes)
                return {
                    "waiting": waiting,
                    "events": events,
                    "changes": changes,
                    "on_time": kept.on_time,
                    "due": kept.due,
                    "late": kept.overdue,
                }
            case "deliver":
                found = await read_subscribers(redis)
                return {
                    "active": found.active,
                    "paused": found.paused,
                    "disabled": found.disabled,
                    "untold": found.waiting,
                }


def _fullness(info: Mapping[str, Any]) -> tuple[float, int]:
    used, most = info["used_memory"], info["maxmemory"]
    return used / most if most else 0.0, used


class _Engine(NamedTuple):
    """The engine in figures."""

    up: float = 0
    lag: float = nan
    dirty: float = nan
    memory_used: float = nan
    memory_max: float = nan
    uptime: float = nan
    inbox: float = nan
    held: float = nan
    overdue: float = nan
    failing: float = nan
    tick_late: float = nan
    waiting: float = nan
    events: float = nan
    changes: float = nan
    on_time: float = nan
    due: float = nan
    late: float = nan
    active: float = nan
    paused: float = nan
    disabled: float = nan
    untold: float = nan


@asynccontextmanager
async def serving(internal: Internal, listener: socket.socket) -> AsyncIterator[None]:
    """Answer on *listener* while this lasts."""
    config = uvicorn.Config(
        internal.app(),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Beside(config)
    task = asyncio.create_task(server.serve([listener]))
    internal.place = listener.getsockname()[:2]
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task})


class _Beside(uvicorn.Server):
    """A server that leaves signals to the process that it serves in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _starting() -> Mapping[str, Check]:
    return {"engine": Check(False, "is awaited; the service starts when it answers")}


def _show_engine(engine: _Engine) -> None:
    show("writethru_engine_up", engine.up)
    show("writethru_lag_seconds", engine.lag)
    show("writethru_dirty_articles", engine.dirty)
    show("writethru_engine_memory_used_bytes", engine.memory_used)
    show("writethru_engine_memory_max_bytes", engine.memory_max)
    show("writethru_engine_uptime_seconds", engine.uptime)
    show("writethru_inbox_waiting", engine.inbox)
    show("writethru_held_events", engine.held)
    show("writethru_release_overdue_seconds", engine.overdue)
    show("writethru_sources_failing", engine.failing)
    show("writethru_tick_late_seconds", engine.tick_late)
    show("writethru_waiting_wakeups", engine.waiting)
    show("writethru_stream_entries", engine.events, stream="events")
    show("writethru_stream_entries", engine.changes, stream="changes")
    show("writethru_promised_articles", engine.on_time, standing="on time")
    show("writethru_promised_articles", engine.due, standing="due")
    show("writethru_promised_articles", engine.late, standing="overdue")
    show("writethru_subscriptions", engine.active, status="active")
    show("writethru_subscriptions", engine.paused, status="paused")
    show("writethru_subscriptions", engine.disabled, status="disabled")
    show("writethru_webhooks_waiting", engine.untold)
