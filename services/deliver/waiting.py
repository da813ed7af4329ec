"""Long polls: for readers whose way to us does not let streams through."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress

from starlette.requests import Request

from services.deliver.changes import Form
from services.deliver.live import Channels
from services.deliver.requests import host_of
from services.deliver.streams import Streams
from shared.article.article import Mark


class Waiter:
    """A reader who is woken by the first thing it is told."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()

    def write(self, frame: bytes) -> bool:
        """Take *frame* for a sign; what there is to tell is read afterwards."""
        del frame
        self.woken.set()
        return True

    def beat(self) -> None:
        """Do nothing: there is no line to keep in use."""

    def end(self) -> None:
        """Stop waiting."""
        self.woken.set()


class Waiting:
    """Lets requests wait; each counts as a reader meanwhile."""

    def __init__(self, channels: Channels, streams: Streams) -> None:
        self._channels = channels
        self._streams = streams

    async def for_news(
        self, request: Request, slug: str, form: Form, mark: Mark, seconds: int
    ) -> None:
        """Return when *slug* is beyond *mark*, after *seconds*, or when either side has to go.

        Raises:
            Busy: as many readers wait already as we keep.
        """
        waiter = Waiter()
        with ExitStack() as leaving:
            leaving.enter_context(self._streams.opened(waiter, host_of(request)))
            room = self._channels.enter(slug, form)
            leaving.callback(room.release)
            room.channel.join(waiter, mark)
            leaving.callback(room.channel.leave, waiter)
            watching = asyncio.create_task(_watch(request, waiter))
            leaving.callback(watching.cancel)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter.woken.wait()


async def _watch(request: Request, waiter: Waiter) -> None:
    """Have nobody wait for a reader who has gone, and whose place another could have."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    waiter.end()
