"""`/articles/{slug}/live` as a raw ASGI application: one article's changes as they happen.

An article is watched before its head is read: a change is then either in what was read or still
to be heard of, never in neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from services.deliver.answers import gone, respond
from services.deliver.changes import Feeds, Form, unknown
from services.deliver.channel import Channel
from services.deliver.core.caching import UNKEPT
from services.deliver.core.cursors import parse_mark
from services.deliver.hub import Hub
from services.deliver.reading import Reading
from services.deliver.requests import form_of, since_of, slug_of
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
    """The channels of the articles that have readers, one a form in which they are told."""

    def __init__(self, hub: Hub, feeds: Feeds) -> None:
        self._hub = hub
        self._feeds = feeds
        self._open: dict[str, dict[Form, _Open]] = {}

    @contextmanager
    def opened(self, slug: str, form: Form) -> Iterator[Channel]:
        """Have the channel of *slug*, which hears of every change from now on."""
        one = self._open.get(slug, {}).get(form) or self._start(slug, form)
        one.users += 1
        try:
            yield one.channel
        finally:
            one.users -= 1
            if not one.users:
                self._end(slug, form)

    def _start(self, slug: str, form: Form) -> _Open:
        channel = Channel(slug, self._feeds[form].since)
        if slug not in self._open:
            self._open[slug] = {}
            self._hub.watch(slug, partial(self._announce, slug))
        one = _Open(channel, asyncio.create_task(channel.run()))
        self._open[slug][form] = one
        return one

    def _end(self, slug: str, form: Form) -> None:
        self._open[slug].pop(form).task.cancel()
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
        reader = StreamReader()
        with self._streams.opened(reader), self._channels.opened(slug, form) as channel:
            mark = since or await self._now(slug)
            news = await self._feeds[form].since(slug, mark)
            if news.kind == "killed":
                response = await respond(request, gone(news.head, news.document))
                await response(scope, receive, send)
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
        (b"cache-control", UNKEPT.browsers.encode()),
        (b"x-accel-buffering", b"no"),
    ],
}


def _place_of(request: Request) -> Mark | None:
    """Return where the reader is; a browser that comes back knows better than its address."""
    if last := request.headers.get("last-event-id"):
        return parse_mark(last) or NOWHERE
    return since_of(request)
