"""`python -m services.deliver`: the service in the foreground."""

from __future__ import annotations

from shared.runtime import lean  # first: see there

# isort: split
import asyncio
import os
import resource
import signal
import socket
import sys
from dataclasses import replace

import uvicorn
import uvloop

from services.deliver.app import create_app, limits_of
from services.deliver.protocol import DeliverProtocol
from services.deliver.streams import Limits
from shared.runtime import log, traces
from shared.runtime.failpoints import arm
from shared.runtime.installation import await_installation
from shared.runtime.internal import Internal, serving
from shared.runtime.internal_port import bound
from shared.runtime.redis import connect
from shared.runtime.settings import Settings, SettingsError

EXIT_SETTING = 78
#: What a process needs files for beside its readers: the engine, pages being sent, the log.
SPARE_FILES = 500
#: Streams end by themselves when they are told to; this is for a reader that takes nothing.
GRACE_SECONDS = 1
MAX_HEADER_BYTES = 16 * 1024


def main() -> int:
    """Return the exit status: 0 when told to stop, 78 for a wrong setting."""
    try:
        settings = Settings.from_env(os.environ)
        log.configure("deliver", settings.log_level)
        traces.configure("deliver", os.environ)
        arm(settings.fail or {})
        with (
            bound(settings.metrics_listen, "deliver") as listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            lean.settled()
            runner.run(_serve(settings, listener))
    except SettingsError as error:
        sys.stderr.write(f"writethru deliver: {error}\n")
        return EXIT_SETTING
    return 0


async def _serve(settings: Settings, listener: socket.socket) -> None:
    internal = Internal("deliver")
    async with serving(internal, listener):
        server = _server(settings, internal)
        await _check(settings)
        # The server sends itself the signal again once it has ended; then there is no more to do.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        await server.serve()


def _limits(settings: Settings) -> Limits:
    """Get a file for each reader, as sockets are files; else make do with fewer readers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.live_readers + SPARE_FILES
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return replace(limits_of(settings), readers=max(1, allowed - SPARE_FILES))


async def _check(settings: Settings) -> None:
    """Find out about a wrong setting while it can still be said in one line."""
    async with connect(settings.engine_url, retries=1) as redis:
        await await_installation(redis, settings.lanes)


def _server(settings: Settings, internal: Internal) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings, _limits(settings), internal),
            host=settings.deliver_listen.host,
            port=settings.deliver_listen.port,
            http=DeliverProtocol,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
