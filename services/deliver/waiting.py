"""Long polls: for readers whose way to us does not let streams through."""

from __future__ import annotations

import asyncio

from services.deliver.changes import Form
from services.deliver.live import Channels
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

    async def for_news(self, slug: str, form: Form, mark: Mark, seconds: int) -> None:
        """Return when *slug* is beyond *mark*, or after *seconds*, or when we are to end.

        Raises:
            Busy: as many readers wait already as we keep.
        """
        waiter = Waiter()
        with self._streams.opened(waiter), self._channels.opened(slug, form) as channel:
            channel.join(waiter, mark)
            try:
                async with asyncio.timeout(seconds):
                    await waiter.woken.wait()
            except TimeoutError:
                pass
            finally:
                channel.leave(waiter)
