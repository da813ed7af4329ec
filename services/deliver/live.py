"""`/articles/{slug}/live`: one article's changes as they happen.

An article is watched before its head is read: a change is then either in what was read or still
to be heard of, never in neither. A raw ASGI application, which is done when the stream begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from services.deliver.answers import gone, respond
from services.deliver.changes import Feeds, Form, unknown
from services.deliver.channel import Channel
from services.deliver.core import frames
from services.deliver.core.caching import UNKEPT
from services.deliver.core.cursors import parse_mark
from services.deliver.hub import Hub
from services.deliver.lines import Line
from services.deliver.protocol import hand_over
from services.deliver.reading import Reading
from services.deliver.requests import form_of, host_of, since_of, slug_of
from services.deliver.streams import Streams, retry_frame
from shared.article.article import Mark

#: Ahead of every article, so that whoever names a place that is none of ours starts over.
NOWHERE = Mark(10**15)


class Room:
    """A channel, and those who use it; a `Host` of lines."""

    def __init__(self, channel: Channel, streams: Streams, close: Callable[[], None]) -> None:
        self.channel = channel
        self.task = asyncio.create_task(channel.run())
        self.users = 0
        self._streams = streams
        self._close = close

    def release(self) -> None:
        """One user less; the last one closes the room."""
        self.users -= 1
        if not self.users:
            self.task.cancel()
            self._close()

    def heartbeat(self) -> bytes:
        """Return what keeps a line in use."""
        return frames.HEARTBEAT

    def caught_up(self, line: Line) -> None:
        """*line* can take more again."""
        self.channel.caught_up(line)

    def left(self, line: Line) -> None:
        """*line* is no more."""
        self.channel.leave(line)
        self._streams.leave(line)
        self.release()


class Channels:
    """The channels of the articles that have readers, one a form in which they are told."""

    def __init__(self, hub: Hub, feeds: Feeds, streams: Streams) -> None:
        self._hub = hub
        self._feeds = feeds
        self._streams = streams
        self._open: dict[str, dict[Form, Room]] = {}

    def enter(self, slug: str, form: Form) -> Room:
        """Return the room of *slug*, which hears of every change from now on, till released."""
        room = self._open.get(slug, {}).get(form) or self._start(slug, form)
        room.users += 1
        return room

    def _start(self, slug: str, form: Form) -> Room:
        channel = Channel(slug, self._feeds[form])
        if slug not in self._open:
            self._open[slug] = {}
            self._hub.watch(slug, partial(self._announce, slug))
        room = Room(channel, self._streams, partial(self._end, slug, form))
        self._open[slug][form] = room
        return room

    def _end(self, slug: str, form: Form) -> None:
        del self._open[slug][form]
        if not self._open[slug]:
            self._hub.unwatch(slug)
            del self._open[slug]

    def _announce(self, slug: str, mark: Mark | None, *, refolded: bool = False) -> None:
        for one in self._open[slug].values():
            one.channel.announce(mark, refolded=refolded)


class ArticleStream:
    """The endpoint."""

    def __init__(
        self, reading: Reading, feeds: Feeds, channels: Channels, streams: Streams
    ) -> None:
        self._reading = reading
        self._feeds = feeds
        self._channels = channels
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused is raised before the response starts."""
        request = Request(scope)
        slug = slug_of(request)
        try:
            since, form = _place_of(request), form_of(request)
        except HTTPException:
            news = await self._feeds["json"].since(slug, NOWHERE)
            if news.kind != "killed":
                raise
            response = await respond(request, gone(news.head, news.document))
            await response(scope, receive, send)
            return
        line = Line()
        with ExitStack() as leaving:
            self._streams.enter(line, host_of(request))
            leaving.callback(self._streams.leave, line)
            room = self._channels.enter(slug, form)
            leaving.callback(room.release)
            mark = since or await self._now(slug)
            news = await self._feeds[form].since(slug, mark)
            if news.kind == "killed":
                response = await respond(request, gone(news.head, news.document))
                await response(scope, receive, send)
                return
            await send(START)
            if request.method == "HEAD":
                await send({"type": "http.response.body"})
            elif hand_over(scope, line, room):
                leaving.pop_all()  # from now on all that is done when the line ends
                line.write(retry_frame())
                room.channel.join(line, mark)

    async def _now(self, slug: str) -> Mark:
        stand = await self._reading.stand(slug)
        if stand is None:
            raise unknown(slug)
        return stand.mark


#: No proxy may keep or gather what is on its way; and nothing follows on a line that has ended.
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", UNKEPT.browsers.encode()),
        (b"x-accel-buffering", b"no"),
        (b"connection", b"close"),
    ],
}


def _place_of(request: Request) -> Mark | None:
    """Return where the reader is; a browser that comes back knows better than its address."""
    if last := request.headers.get("last-event-id"):
        return parse_mark(last) or NOWHERE
    return since_of(request)
