"""Work in the foreground: it ends by itself, or in order when a signal asks for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(main: Callable[[], Awaitable[None]]) -> signal.Signals | None:
    """Run *main* on an event loop; return the signal that ended it, or None.

    A signal cancels *main* once; while it cleans up, further signals change nothing, so that an
    impatient second Ctrl-C leaves no process behind.
    """
    return asyncio.run(_run(main))


async def _run(main: Callable[[], Awaitable[None]]) -> signal.Signals | None:
    got: list[signal.Signals] = []
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(main())

    def stop(number: signal.Signals) -> None:
        if not got:
            task.cancel()
        got.append(number)

    for number in STOPPING:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not got:
            raise
    return got[0] if got else None
