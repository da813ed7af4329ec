"""Pages that many ask for, answered from memory as bytes that are ready to be written.

A page is remembered, as it went out, once it is asked for often; seldom ones cost little. It holds
until a change is heard of. Beside that the engine is asked about its article every few hundredths
of a second, in the background, and without an answer memory is not trusted for longer than
LONGEST_SECONDS: then requests go the long way, which says what it says without an engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Message, Scope

from services.deliver.core.plain_requests import fields_of, target_of
from services.deliver.hub import Hub
from services.deliver.reading import Reading
from services.deliver.standing import Standing
from shared.contract.errors import TryAgain
from shared.runtime.clock import monotonic
from shared.runtime.metrics import count

#: As often in a second, and a page is remembered.
OFTEN = 50
LOOK_SECONDS = 1.0
#: A page that nobody has asked for at so many of them is forgotten.
IDLE_LOOKS = 30
CONFIRM_SECONDS, LONGEST_SECONDS = 0.05, 0.25
#: Beyond this it is forgotten altogether, and what is asked for is soon there again.
MOST_BYTES = 64 * 1024 * 1024
LONGEST_PAGE = 512 * 1024
MOST_TARGETS = 10_000
MOST_VARIANTS = 64

_REMEMBER = "writethru.remember"
#: What a 304 leaves out.
_OF_BODIES = (b"accept-ranges", b"content-encoding", b"content-length", b"content-type")

_SAME = 304
_BEGINNINGS = {
    200: b"HTTP/1.1 200 OK\r\n",
    204: b"HTTP/1.1 204 No Content\r\n",
    _SAME: b"HTTP/1.1 304 Not Modified\r\n",
}

Headers = Sequence[tuple[bytes, bytes]]


class _Holding(NamedTuple):
    """What a page was made of, and the format that it is counted as."""

    format: str
    standings: tuple[Standing, ...]


def may_remember(scope: Scope, format_name: str, *standings: Standing) -> None:
    """Say that the answer to *scope* holds as long as all *standings* do."""
    scope[_REMEMBER] = _Holding(format_name, standings)


class _Page:
    """One answer, whole and as 304, or as 304 alone; put together once a second, for the date."""

    __slots__ = (
        *("body", "etag", "format", "given", "head", "idle"),
        *("lines", "renewing", "same", "standings", "status", "wires"),
    )

    def __init__(self, holding: _Holding, status: int, headers: Headers, body: bytes) -> None:
        self.format, self.standings = holding
        self.status = status
        self.etag = dict(headers).get(b"etag")
        self.head = _lines(headers)
        self.same = _lines([each for each in headers if each[0] not in _OF_BODIES])
        self.body = body
        self.lines: Headers = ()
        self.wires = (b"", b"")
        self.given = [0, 0]
        self.idle = 0
        self.renewing = False

    @property
    def size(self) -> int:
        """Bytes, roughly: the body is there twice."""
        return 2 * len(self.body) + 4_096

    def wire(self, known: bool, server: Headers) -> bytes:
        """Return the 304 for who has it, or the whole."""
        if server is not self.lines:
            added = _lines(server)
            whole = _BEGINNINGS[self.status] + added + self.head + b"\r\n" + self.body
            same = _BEGINNINGS[_SAME] + added + self.same + b"\r\n"
            self.lines, self.wires = server, (whole, same)
        self.given[known] += 1
        return self.wires[known]

    def counted(self) -> None:
        """Count what was given since this was called last, and how often that was nothing."""
        self.idle = 0 if any(self.given) else self.idle + 1
        for status, given in zip((str(self.status), "304"), self.given, strict=True):
            if given:
                count("writethru_answers_total", given, format=self.format, status=status)
        self.given = [0, 0]


class _Variants(NamedTuple):
    """What there is at one target, by the request's headers that it varies by."""

    names: tuple[bytes, ...]
    pages: dict[tuple[bytes | None, ...], _Page]


class Memory:
    """One per process; it has nothing before it is opened."""

    def __init__(self) -> None:
        self._at: dict[bytes, _Variants] = {}
        self._asked: dict[bytes, int] = {}
        self._asked_before: dict[bytes, int] = {}
        self._size = 0
        self._hub: Hub | None = None
        self._reading: Reading | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def open(self, hub: Hub, reading: Reading) -> None:
        """Begin to remember."""
        self._hub, self._reading = hub, reading

    def answer(self, data: bytes, server: Headers) -> bytes | None:
        """Return the bytes that answer the request *data*, *server*'s own headers among them.

        None: that is not for us.
        """
        target = target_of(data)
        if target is None or (found := self._at.get(target)) is None:
            return None
        fields = fields_of(data, target)
        if fields is None or not (self._hub and self._hub.following):
            return None
        page = found.pages.get(tuple(map(fields.get, found.names)))
        if page is None or not self._holds(page):
            return None
        known = fields.get(b"if-none-match")
        if known is None:
            return page.wire(False, server) if page.status != _SAME else None
        # Who has another one may have a newer one: that is for the engine to say.
        return page.wire(True, server) if known == page.etag else None

    def _holds(self, page: _Page) -> bool:
        now = monotonic()
        for standing in page.standings:
            if standing.until <= now and not _while_made_anew(page, standing, now):
                return False
            if standing.stand is None:
                continue
            if (age := now - standing.confirmed) > LONGEST_SECONDS:
                return False
            if age > CONFIRM_SECONDS and not standing.asking:
                self._ask(standing)
        return True

    def _ask(self, standing: Standing) -> None:
        standing.asking = True
        task = asyncio.create_task(self._confirm(standing))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _confirm(self, standing: Standing) -> None:
        """See that the article still stands where it stood."""
        assert self._reading  # noqa: S101 -- there are no pages before
        at = monotonic()
        try:
            stand = await self._reading.stand(standing.slug)
        except TryAgain:
            return
        finally:
            standing.asking = False
        standing.read(stand, at)

    def asked(self, scope: Scope) -> bool:
        """Take note of a request that goes the long way; True if its answer should be kept."""
        if scope["method"] != "GET" or self._hub is None:
            return False
        target = _target(scope)
        if (times := self._asked.get(target, 0)) or len(self._asked) < MOST_TARGETS:
            self._asked[target] = times + 1
        return times + self._asked_before.get(target, 0) >= OFTEN

    def keep(self, scope: Scope, start: Message, body: bytes) -> None:
        """Remember what *scope* was answered, if that holds, and is for everybody."""
        holding: _Holding | None = scope.get(_REMEMBER)
        headers: Headers = [(name.lower(), value) for name, value in start["headers"]]
        facts = dict(headers)
        shared = facts.get(b"cache-control", b"").startswith(b"public")
        answered = start["status"] in (200, 204, _SAME)
        if holding is None or not (answered and shared) or len(body) > LONGEST_PAGE:
            return
        names = tuple(part.strip().lower() for part in facts.get(b"vary", b"").split(b","))
        given = [name for name, _ in scope["headers"] if name in names]
        now = monotonic()
        page = _Page(holding, start["status"], headers, body)
        if len(given) != len(set(given)) or _lapsed(page, now):
            return
        fields = dict(scope["headers"])
        target, values = _target(scope), tuple(map(fields.get, names))
        before = self._at[target].pages.get(values) if target in self._at else None
        if page.status != _SAME or before is None or _lapsed(before, now):
            self._put(target, names, values, page)

    def _put(
        self,
        target: bytes,
        names: tuple[bytes, ...],
        values: tuple[bytes | None, ...],
        page: _Page,
    ) -> None:
        found = self._at.get(target)
        if found is None or found.names != names or len(found.pages) >= MOST_VARIANTS:
            self._forget(target)
            found = self._at[target] = _Variants(names, {})
        if before := found.pages.pop(values, None):
            before.counted()
            self._size -= before.size
        if self._size + page.size > MOST_BYTES:
            for each in list(self._at):
                self._forget(each)
            found = self._at[target] = _Variants(names, {})
        found.pages[values] = page
        self._size += page.size

    def _forget(self, target: bytes) -> None:
        if found := self._at.pop(target, None):
            for page in found.pages.values():
                page.counted()
                self._size -= page.size

    async def look(self) -> None:
        """Count, and let go of what holds no longer, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._asked_before, self._asked = self._asked, {}
            now = monotonic()
            for target, found in list(self._at.items()):
                for page in found.pages.values():
                    page.counted()
                if all(_over(page, now) for page in found.pages.values()):
                    self._forget(target)


def _lapsed(page: _Page, now: float) -> bool:
    return any(each.until <= now for each in page.standings)


def _over(page: _Page, now: float) -> bool:
    return page.idle >= IDLE_LOOKS or _lapsed(page, now - LONGEST_SECONDS)


def _while_made_anew(page: _Page, standing: Standing, now: float) -> bool:
    """Whether to show what is beside the article a moment longer than its time.

    The first who asks after it goes the long way, the others meanwhile not: all at once, they
    would be many. What was ended, by a kill or as the article changed, is never shown.
    """
    if standing.until <= 0 or now > standing.until + LONGEST_SECONDS:
        return False
    first, page.renewing = not page.renewing, True
    return not first


def _target(scope: Scope) -> bytes:
    path, query = scope["raw_path"], scope["query_string"]
    return b"%b?%b" % (path, query) if query else bytes(path)


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % each for each in headers)
