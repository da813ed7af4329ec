"""`python -m services.deliver`: the service in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import uvicorn

from services.deliver.app import create_app, wait_for_installation
from shared.runtime import log
from shared.runtime.redis import connect
from shared.runtime.settings import Settings, SettingsError

EXIT_SETTING = 78
#: Streams end by themselves when they are told to; this is for a reader that takes nothing.
GRACE_SECONDS = 3


def main() -> int:
    """Return the exit status: 0 when told to stop, 78 for a wrong setting."""
    try:
        settings = Settings.from_env(os.environ)
        log.configure("deliver", settings.log_level)
        asyncio.run(_check(settings))
    except SettingsError as error:
        sys.stderr.write(f"writethru deliver: {error}\n")
        return EXIT_SETTING
    # The server sends itself the signal again once it has ended; then there is no more to do.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _server(settings).run()
    return 0


async def _check(settings: Settings) -> None:
    """Find out about a wrong setting while it can still be said in one line."""
    async with connect(settings.redis_url, retries=1) as redis:
        await wait_for_installation(redis, settings.lanes)


def _server(settings: Settings) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.deliver_listen.host,
            port=settings.deliver_listen.port,
            loop="uvloop",
            http="httptools",
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
