"""`python -m services.ingest`: the service in the foreground. Only here is the environment read."""

from __future__ import annotations

from shared.runtime import lean  # first: see there

# isort: split
import asyncio
import os
import signal
import socket
import sys

import uvicorn
import uvloop
from fastapi import FastAPI
from redis.exceptions import RedisError

from services.ingest.app import create_app
from services.ingest.connections import Connection
from shared.runtime import log, traces
from shared.runtime.failpoints import arm
from shared.runtime.internal import Internal, serving
from shared.runtime.internal_port import bound
from shared.runtime.settings import Listen, Settings, SettingsError

FAILED, WRONG_SETTING, INTERRUPTED = 1, 78, 130

MAX_HEADER_BYTES = 16 * 1024
#: Longer than proxies keep an idle connection, or they would send into one that is closing.
KEEP_ALIVE_SECONDS = 75
#: More than an event takes to be stored or given up.
STOP_SECONDS = 15


def main() -> int:
    """Run until told to stop; return the exit status."""
    try:
        settings = Settings.from_env(os.environ)
        log.configure("ingest", settings.log_level)
        traces.configure("ingest", os.environ)
        arm(settings.fail or {})
        internal = Internal("ingest")
        app = create_app(settings, internal)
        with (
            bound(settings.metrics_listen, "ingest") as listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            lean.settled()
            runner.run(_run(app, settings.ingest_listen, internal, listener))
    except SettingsError as error:
        return _complain(str(error), WRONG_SETTING)
    except RedisError as error:
        return _complain(f"the engine fails ({error}); see its log", FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


async def _run(app: FastAPI, listen: Listen, internal: Internal, beside: socket.socket) -> None:
    async with serving(internal, beside):
        await serve(app, listen)


async def serve(app: FastAPI, listen: Listen) -> None:
    """Serve *app* until a signal ends it. Its start is part of this, so its errors come out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _bound(listen) as listener:
        async with app.router.lifespan_context(app):
            running = server(app)
            _end_by_signals(running)
            await running.serve([listener])


def _end_by_signals(running: uvicorn.Server) -> None:
    """See that a signal ends the server, and that the one it raises in the end does nothing."""

    def end(*_: object) -> None:
        running.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


def server(app: FastAPI) -> uvicorn.Server:
    """Return the server for *app*, which has been started."""
    config = uvicorn.Config(
        app,
        http=Connection,  # h11's, as the other parser takes headers without end
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return uvicorn.Server(config)


def _bound(listen: Listen) -> socket.socket:
    """Take the address at once: that somebody else has it needs no engine to find out."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listen.host, listen.port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"WRITETHRU_INGEST_LISTEN: {listen.host}:{listen.port} can't be taken "
            f"({error.strerror}); end what listens there, or set another"
        ) from None
    return listener


def _complain(line: str, status: int) -> int:
    sys.stderr.write(f"writethru ingest: {line}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
