"""`/live`: the changes of all articles, thin.

An event's id is the place in the outboxes of all lanes, so a reader that comes back goes on where
it was, on whichever process. One that is slow is let go and comes back. A raw ASGI application,
which is done when the reader has what it missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from services.deliver.core import frames
from services.deliver.core.cursors import Place, cursor, parse_cursor, unbroken
from services.deliver.core.topics import Wish
from services.deliver.hub import Hub
from services.deliver.lines import Line
from services.deliver.live import START
from services.deliver.outbox import Entry, as_they_stand, read_entries, read_outboxes
from services.deliver.protocol import hand_over
from services.deliver.reading import Reading
from services.deliver.requests import host_of, wish_of
from services.deliver.streams import Streams, retry_frame
from shared.contract.errors import Busy
from shared.runtime.metrics import count

#: Whoever has missed more starts over.
MAX_MISSED = 1_000
PATIENCE_SECONDS = 10.0


class Firehose:
    """The endpoint, and what the hub tells of every entry."""

    def __init__(self, redis: Redis, reading: Reading, hub: Hub, streams: Streams) -> None:
        self._redis = redis
        self._reading = reading
        self._tags = reading.lanes.tags
        self._hub = hub
        self._streams = streams
        self._readers: dict[Wish, set[Line]] = {}
        self._beat = -1, b""
        hub.listen(self)

    def heard(self, entry: Entry) -> None:
        """Pass one entry on to all readers who want it."""
        wanted = [wish for wish in self._readers if wish.takes(entry.topics)]
        if wanted:
            self._write(wanted, self._event(entry, self._hub.places), "change")

    def missed(self) -> None:
        """Tell all readers to start over."""
        if self._readers:
            self._write(list(self._readers), self._reset(), "reset")

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        if len(self._hub.places) < len(self._tags):
            raise Busy("The articles can't be read at the moment; try again shortly.")
        line, wish = Line(), wish_of(request)
        with ExitStack() as leaving:
            self._streams.enter(line, host_of(request))
            leaving.callback(self._streams.leave, line)
            await send(START)
            if request.method == "HEAD":
                await send({"type": "http.response.body"})
                return
            await _send(send, [retry_frame()])
            if not await self._catch_up(request, wish, send):
                await send({"type": "http.response.body"})
            elif hand_over(scope, line, Seat(self, wish)):
                leaving.pop_all()  # from now on that is done when the line ends
                self._readers.setdefault(wish, set()).add(line)

    def heartbeat(self) -> bytes:
        """Return what keeps a line in use: the place, which a reader of few events passes too."""
        if self._beat[0] != self._hub.changed:
            self._beat = self._hub.changed, frames.place(cursor(self._tags, self._hub.places))
        return self._beat[1]

    def left(self, line: Line, wish: Wish) -> None:
        """*line* is no more."""
        self._drop(line, wish)
        self._streams.leave(line)

    async def _catch_up(self, request: Request, wish: Wish, send: Send) -> bool:
        """Send what the reader has missed. There is no moment between the last of it and the end.

        False if that takes too long; the reader comes back.
        """
        last = request.headers.get("last-event-id") or request.query_params.get("since")
        if not last:
            return True
        places = parse_cursor(self._tags, last)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while places != self._hub.places and not self._streams.closing:
                    if places is None:
                        places = await self._start_over(send)
                    else:
                        places = await self._replay(places, wish, send)
        except (Busy, TimeoutError):
            return False
        return True

    async def _start_over(self, send: Send) -> dict[str, Place]:
        """Have the reader start over, and return from where."""
        count("writethru_frames_total", stream="all", event="reset")
        places = dict(self._hub.places)
        await _send(send, [self._reset()])
        return places

    async def _replay(
        self, places: dict[str, Place], wish: Wish, send: Send
    ) -> dict[str, Place] | None:
        """Send what came after *places* and return where that ends; None if it can't be told."""
        until = dict(self._hub.places)
        if any(places[tag] > until[tag] for tag in self._tags):
            await self._hub.moved()
        lanes = list(self._reading.lanes)
        async with self._reading.patience():
            outboxes = await read_outboxes(self._redis, lanes, places)
            entries = await read_entries(self._redis, lanes, places, until)
        whole = (
            unbroken(places[lane.tag], outbox) for lane, outbox in zip(lanes, outboxes, strict=True)
        )
        if len(entries) > MAX_MISSED or not all(whole):
            return None
        killed = await self._reading.killed(entry.article for entry in entries)
        await _send(send, self._events(places, wish, as_they_stand(entries, killed)))
        return {tag: max(places[tag], until[tag]) for tag in self._tags}

    def _events(
        self, places: Mapping[str, Place], wish: Wish, entries: Iterable[Entry]
    ) -> Iterable[bytes]:
        at = dict(places)
        for entry in entries:
            at[entry.lane] = entry.place
            if entry.notice or not wish.takes(entry.topics):
                continue
            count("writethru_frames_total", stream="all", event="change")
            yield self._event(entry, at)

    def _event(self, entry: Entry, places: Mapping[str, Place]) -> bytes:
        return frames.event("change", thin(entry), cursor(self._tags, places))

    def _reset(self) -> bytes:
        return frames.event("reset", b'{"reset":true}', cursor(self._tags, self._hub.places))

    def _write(self, wanted: Iterable[Wish], frame: bytes, event: str) -> None:
        for wish in wanted:
            readers = self._readers[wish]
            count("writethru_frames_total", len(readers), stream="all", event=event)
            for reader in [reader for reader in readers if not reader.write(frame)]:
                self._drop(reader, wish)
                reader.end()

    def _drop(self, line: Line, wish: Wish) -> None:
        readers = self._readers.get(wish, set())
        readers.discard(line)
        if not readers:
            self._readers.pop(wish, None)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a reader's line belongs: a `Host` that remembers the reader's wish."""

    firehose: Firehose
    wish: Wish

    def heartbeat(self) -> bytes:
        """Return what keeps a line in use."""
        return self.firehose.heartbeat()

    def caught_up(self, line: Line) -> None:
        """Never of use: who can't take more is let go."""

    def left(self, line: Line) -> None:
        """*line* is no more."""
        self.firehose.left(line, self.wish)


def thin(entry: Entry) -> bytes:
    """Return what is told of *entry*."""
    facts: dict[str, Any] = {
        "article": entry.article,
        "from": entry.start,
        "to": entry.to,
        "chain": entry.chain,
        "head": orjson.Fragment(entry.head),
    }
    if entry.trace:
        facts["traceparent"] = entry.trace.parent
    return orjson.dumps(facts)


async def _send(send: Send, parts: Iterable[bytes]) -> None:
    for part in parts:
        await send({"type": "http.response.body", "body": frames.bare(part), "more_body": True})
