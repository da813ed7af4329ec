"""ingest: takes events in, judges them, and appends them to the ledger.

Wiring only: read this to see what ingest is made of, `intake.py` to see what it does. Run it with
``python -m services.ingest``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Lifespan

from services.ingest import answers, explanations, faults, intake, ledger, probes
from services.ingest.append import Appender
from services.ingest.callers import Callers
from services.ingest.checking import Checker
from services.ingest.inbox import Inbox
from services.ingest.manual import openapi
from services.ingest.pressure import Pressure
from services.ingest.rates import Rates
from services.ingest.release import Releaser
from services.ingest.sources.outside import Outside
from services.ingest.sources.running import Sources
from services.ingest.sources.updaters import updaters
from services.ingest.ticking import Clock
from shared.contract.errors import WritethruError
from shared.runtime.clock import new_name
from shared.runtime.door import Door
from shared.runtime.durability import levels_of
from shared.runtime.installation import await_installation
from shared.runtime.internal import Internal
from shared.runtime.keys import INBOX_READER
from shared.runtime.lease import Lease
from shared.runtime.ledgers import Ledgers
from shared.runtime.pipe import Pipe
from shared.runtime.redis import connect
from shared.runtime.settings import Settings, SettingsError

PLACE = "POST /v1/events"

_log = structlog.get_logger()


def create_app(settings: Settings, internal: Internal | None = None) -> FastAPI:
    """Build the service; nothing connects before it starts. *internal* is told what to watch.

    Raises:
        SettingsError: here, or when it starts, as the engine may not suit the settings.
    """
    if settings.no_auth and not settings.ingest_listen.loopback:
        raise SettingsError(
            "WRITETHRU_NO_AUTH lets everybody publish, so it takes a loopback address: set "
            "WRITETHRU_INGEST_LISTEN to 127.0.0.1:8000, or leave it out"
        )
    app = FastAPI(
        title="writethru: ingest",
        lifespan=_lifespan(settings, internal),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.openapi = openapi.document  # type: ignore[method-assign]
    for module in (intake, ledger, explanations, probes):
        app.include_router(module.router)
    app.add_exception_handler(WritethruError, _refused)
    app.add_exception_handler(ClientDisconnect, _abandoned)
    app.add_exception_handler(HTTPException, _no_such)
    app.add_exception_handler(Exception, _failed)
    return app


def _lifespan(settings: Settings, internal: Internal | None) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        redis = connect(settings.engine_url)
        pipe = Pipe(redis)
        try:
            installation = await await_installation(redis, settings.lanes)
            levels = await levels_of(redis, settings.durability)
            pressure = Pressure(redis, installation.lanes, settings.max_waiting)
            appender = Appender(redis, installation, levels.kept, settings.archive, pressure, pipe)
            callers = Callers(None if settings.no_auth else Door(redis, pipe))
            checker = Checker(redis, installation.lanes, appender, settings.checks, pipe)
            inbox = Inbox(redis, checker, Lease(redis, INBOX_READER, new_name()), levels.wait())
            app.state.intake = intake.Intake(checker, callers, levels, Rates(redis))
            ledgers = Ledgers(redis, installation.lanes, settings.archive)
            app.state.ledgers = ledger.ShownLedgers(redis, installation.lanes, callers, ledgers)
            releaser = Releaser(redis, installation.lanes)
            async with Outside(settings) as outside:
                asking = updaters(redis, installation, settings, outside)
                app.state.sources = Sources(asking, checker, levels.wait())
                clock = Clock(redis, installation.lanes, app.state.sources)
                app.state.probed = probes.Probed(redis, installation.lanes, inbox, releaser, clock)
                if internal:
                    internal.watch(redis, installation.lanes, app.state.probed.checks)
                async with _running(inbox.run(), releaser.run(), pressure.run(), clock.run()):
                    _log.info("service.started", durability=levels.default, lanes=settings.lanes)
                    yield
            _log.info("service.stopped")
        finally:
            await pipe.aclose()
            await redis.aclose()

    return lifespan


@asynccontextmanager
async def _running(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = {asyncio.create_task(work) for work in works}
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WritethruError)  # noqa: S101  # by registration
    return faults.refused(error)


def _abandoned(_request: Request, _error: Exception) -> Response:
    """Nobody reads this answer: the sender went away in the middle of the body."""
    _log.warning("request.abandoned")
    return Response(status_code=400)


def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # by registration
    detail = f"There is no {request.method} {request.url.path} here; file events by {PLACE}."
    return answers.no_such(error.status_code, detail, error.headers)


def _failed(_request: Request, error: Exception) -> Response:
    return faults.failed(error)
