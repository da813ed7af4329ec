"""The deliver service, wired: engine, hub, feeds, pages, streams."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from types import FrameType
from typing import Any

import structlog
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.deliver.answers import Answer, refuse, refuse_request
from services.deliver.changes import ChangeFeed, Feeds, as_facts
from services.deliver.codings import Codings
from services.deliver.core.links import reading_secret_of, secret_of
from services.deliver.firehose import Firehose
from services.deliver.guard import Guard
from services.deliver.history import History
from services.deliver.hub import Hub
from services.deliver.kept import Kept
from services.deliver.latest import Latest
from services.deliver.lending import Lending
from services.deliver.live import ArticleStream, Channels
from services.deliver.memory import Memory
from services.deliver.pages import Pages
from services.deliver.parts import Parts
from services.deliver.passes import Passes
from services.deliver.purging import Purging, purgings
from services.deliver.readers import Gate, Readers
from services.deliver.reading import Reading
from services.deliver.routes import Routes
from services.deliver.sitemap import Sitemaps
from services.deliver.standing import Standings
from services.deliver.streams import Limits, Streams
from services.deliver.versions import KEPT_BYTES, Versions
from services.deliver.waiting import Waiting
from services.deliver.webhooks.service import Pace, opened
from shared.contract.errors import WritethruError
from shared.runtime.dialing import ANYWHERE
from shared.runtime.door import Door
from shared.runtime.fetching import Outbound
from shared.runtime.house import dress_from
from shared.runtime.installation import Installation, await_installation
from shared.runtime.internal import Internal
from shared.runtime.redis import connect
from shared.runtime.settings import Settings

PACE = Pace()

log = structlog.get_logger()


def create_app(
    settings: Settings,
    limits: Limits | None = None,
    internal: Internal | None = None,
    pace: Pace = PACE,
) -> Guard:
    """Return the service as an ASGI application. It connects when it starts, not before.

    It is for `DeliverProtocol`. *limits* are those of *settings* if not given; *internal* is told
    then what to watch; *pace* is that of webhooks.
    """
    memory = Memory()

    dress_from(settings.templates)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        streams = Streams(limits or limits_of(settings))
        async with (
            connect(settings.engine_url, retries=1) as redis,
            connect(settings.engine_url, retries=0) as follower,
            Outbound(ANYWHERE) as operators,
        ):
            installation = await await_installation(redis, settings.lanes)
            reading = Reading(redis, installation.lanes, settings.archive)
            hub = Hub(follower, reading)
            memory.open(hub, reading)
            passes = _passes(redis, settings, installation)
            telling = purgings(settings, redis, installation.lanes, hub, operators)
            app.state.readers = _readers(settings, passes, installation)
            routes = _routes(
                *(redis, reading, hub, streams, passes, app.state.readers),
                *(settings.public_url, telling),
            )
            if internal:
                internal.watch(redis, installation.lanes, routes.checks)
            feed, door = routes.feeds["json"], passes.door
            async with (
                opened(redis, settings, installation, reading, hub, feed, door, pace) as webhooks,
                _working(
                    *(hub.run(), streams.keep(), webhooks.run(), memory.look()),
                    *(each.run() for each in telling),
                ),
            ):
                app.router.routes = [*webhooks.endpoints.listed(), *routes.listed()]
                with _told_of_the_end(streams.close):
                    log.info("service.started", lanes=len(installation.lanes))
                    yield
                    streams.close()
        log.info("service.stopped")

    app = Starlette(
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _refuse_request,
            WritethruError: _refuse,
            Exception: _fail,
        },
    )
    app.state.codings = Codings()
    app.router.redirect_slashes = False
    return Guard(Gate(app), memory, settings.cors_origins)


def limits_of(settings: Settings) -> Limits:
    """Return how many live readers there may be, and for how long."""
    return Limits(
        readers=settings.live_readers,
        an_address=settings.live_readers_per_address,
        life=settings.live_life,
    )


def _passes(redis: Redis, settings: Settings, installation: Installation) -> Passes:
    """Ask for keys, but where everybody who reaches us may publish, and so read."""
    everybody = settings.no_auth and settings.deliver_listen.loopback
    door = None if everybody else Door(redis)
    return Passes(settings.history, door, secret_of(installation.key))


def _readers(settings: Settings, passes: Passes, installation: Installation) -> Readers | None:
    """Return who lets readers in; None where everybody may read."""
    if settings.readers == "public" or passes.door is None:
        return None
    return Readers(
        passes.door,
        reading_secret_of(installation.key),
        history_apart=settings.history != "public",
        secure=settings.public_url.startswith("https:"),
    )


def _routes(
    redis: Redis,
    reading: Reading,
    hub: Hub,
    streams: Streams,
    passes: Passes,
    readers: Readers | None,
    public_url: str,
    telling: Sequence[Purging],
) -> Routes:
    standings = Standings(hub)
    feeds: Feeds = {
        "json": ChangeFeed(reading, as_facts, standings),
        "html": ChangeFeed(reading, Parts(reading), standings),
    }
    channels = Channels(hub, feeds, streams)
    latest = Latest(reading, hub, standings, public_url)
    history = History(redis, reading)
    kept: Kept[Answer] = Kept(KEPT_BYTES, "versions")
    return Routes(
        redis=redis,
        reading=reading,
        hub=hub,
        latest=latest,
        sitemaps=Sitemaps(reading, hub),
        pages=Pages(reading, latest, standings, public_url),
        standings=standings,
        versions=Versions(reading, history, passes, public_url, kept),
        lending=Lending(history, passes, readers, public_url),
        feeds=feeds,
        waiting=Waiting(channels, streams),
        live=ArticleStream(reading, feeds, channels, streams),
        firehose=Firehose(redis, reading, hub, streams),
        streams=streams,
        telling=telling,
        public_url=public_url,
    )


@asynccontextmanager
async def _working(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have *work* done beside, for as long as this lasts."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _told_of_the_end(close: Callable[[], None]) -> Iterator[None]:
    """Call *close* on the signals that end the server.

    A server waits for open answers before it says that it is about to end; streams never end by
    themselves, so they have to hear of it first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    servers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(close)
        handler = servers[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in servers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in servers.items():
            signal.signal(number, handler)


def _refuse_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for it
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "There is nothing at this address."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "GET, HEAD")
        detail = f"This takes {allowed} and nothing else."
    return refuse_request(request, error.status_code, detail, error.headers)


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, WritethruError)  # noqa: S101 -- registered for it
    return refuse(request, error)


def _fail(request: Request, _error: Exception) -> Response:
    return refuse_request(request, 500, "Something went wrong on our side; it has been logged.")
