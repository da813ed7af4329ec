"""`/articles/{slug}/live` as a raw ASGI application: one article's changes as they happen.

An article is watched before its head is read: a change is then either in what was read or still
to be heard of, never in neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from services.deliver.answers import UNKEPT, respond, withdrawal
from services.deliver.changes import ChangeFeed, unknown
from services.deliver.channel import Channel
from services.deliver.core.cursors import parse_mark
from services.deliver.core.negotiation import JSON
from services.deliver.hub import Hub
from services.deliver.reading import Reading
from services.deliver.requests import since_of, slug_of
from services.deliver.streams import StreamReader, Streams, retry_frame
from shared.article.article import Mark

#: Ahead of every article, so that whoever names a place that is none of ours starts over.
NOWHERE = Mark(10**15)


@dataclass(slots=True)
class _Open:
    channel: Channel
    task: asyncio.Task[None]
    users: int = 0


class Channels:
    """The channels of the articles that have readers."""

    def __init__(self, hub: Hub, feed: ChangeFeed) -> None:
        self._hub = hub
        self._feed = feed
        self._open: dict[str, _Open] = {}

    @contextmanager
    def opened(self, slug: str) -> Iterator[Channel]:
        """Have the channel of *slug*, which hears of every change from now on."""
        one = self._open.get(slug) or self._start(slug)
        one.users += 1
        try:
            yield one.channel
        finally:
            one.users -= 1
            if not one.users:
                self._hub.unwatch(slug)
                del self._open[slug]
                one.task.cancel()

    def _start(self, slug: str) -> _Open:
        channel = Channel(slug, self._feed.since)
        self._open[slug] = _Open(channel, asyncio.create_task(channel.run()))
        self._hub.watch(slug, channel.announce)
        return self._open[slug]


class ArticleStream:
    """The endpoint."""

    def __init__(
        self, reading: Reading, feed: ChangeFeed, channels: Channels, streams: Streams
    ) -> None:
        self._reading = reading
        self._feed = feed
        self._channels = channels
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is refused is raised before the response starts."""
        request = Request(scope)
        slug, since = slug_of(request), _place_of(request)
        reader = StreamReader()
        with self._streams.opened(reader), self._channels.opened(slug) as channel:
            mark = since or await self._now(slug)
            news = await self._feed.since(slug, mark)
            if news.kind == "killed":
                await respond(request, withdrawal(news.head, JSON))(scope, receive, send)
            elif request.method == "HEAD":
                await send(START)
                await send({"type": "http.response.body"})
            else:
                await self._serve(reader, channel, mark, receive, send)

    async def _now(self, slug: str) -> Mark:
        stand = await self._reading.stand(slug)
        if stand is None:
            raise unknown(slug)
        return stand.mark

    async def _serve(
        self, reader: StreamReader, channel: Channel, mark: Mark, receive: Receive, send: Send
    ) -> None:
        await send(START)
        reader.caught_up = lambda: channel.caught_up(reader)
        reader.write(retry_frame())
        channel.join(reader, mark)
        try:
            await reader.serve(receive, send)
        finally:
            channel.leave(reader)


#: No proxy may keep or gather what is on its way.
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", UNKEPT.encode()),
        (b"x-accel-buffering", b"no"),
    ],
}


def _place_of(request: Request) -> Mark | None:
    """Return where the reader is; a browser that comes back knows better than its address."""
    if last := request.headers.get("last-event-id"):
        return parse_mark(last) or NOWHERE
    return since_of(request)
