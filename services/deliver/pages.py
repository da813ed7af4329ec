"""Articles as representations: read, written, and kept by what they show."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence

from starlette.exceptions import HTTPException

from services.deliver.answers import Answer, representation, withdrawal
from services.deliver.changes import unknown
from services.deliver.core.negotiation import FEEDS, FRAGMENT, HTML, JSON, Format
from services.deliver.kept import KeptAt
from services.deliver.latest import Latest, shown
from services.deliver.reading import Reading
from services.deliver.requests import checked_update_id, unknown_update
from services.deliver.standing import Standings
from shared.article.article import PAGE_SIZE, Article, Head, Mark, Update, newest_numbers
from shared.article.formats import html, json, whole
from shared.contract.canonical import short
from shared.runtime.clock import monotonic
from shared.runtime.snapshots import Window, moving

KEPT_BYTES = 64 * 1024 * 1024
_TRIES = 5


class Pages:
    """Answers for articles. All raise Refused for what is not there, and Busy."""

    def __init__(
        self, reading: Reading, latest: Latest, standings: Standings, public_url: str
    ) -> None:
        self._reading = reading
        self._latest = latest
        self._standings = standings
        self._public_url = public_url
        self._kept: KeptAt[Answer] = KeptAt(KEPT_BYTES, "pages")

    async def article(self, slug: str, how: Format) -> Answer:
        """Return the article now, as *how*; a killed one's 410."""
        if how is FRAGMENT:
            return await self._at(slug, how.name, lambda: self._fragment(slug))
        if how is not HTML:
            return await self._at(slug, how.name, lambda: self._written(slug, how))
        beside = await self._latest.beside(slug)
        wish = how.name, shown(beside)
        return await self._at(slug, wish, lambda: self._newest(slug, beside))

    async def updates(self, slug: str, number: int, how: Format) -> Answer:
        """Return page *number* of the updates, which is HTML; a killed article's 410 is *how*."""
        return await self._at(slug, (number, how.name), lambda: self._updates(slug, number, how))

    async def corrections(self, slug: str, how: Format) -> Answer:
        """Return all corrections and retractions, as HTML or JSON; a killed article's 410."""
        wish = "corrections", how.name
        return await self._at(slug, wish, lambda: self._corrections(slug, how))

    async def elsewhere(self, slug: str, how: Format) -> Answer | None:
        """Return a killed article's 410; None where there is nothing to say at this address."""
        async with self._reading.patience():
            head = await self._reading.snapshots.read_head(slug)
        if head is None or head.status == "unpublished":
            raise unknown(slug)
        return withdrawal(head, how) if head.status == "killed" else None

    async def place_of(self, slug: str, update_id: str, how: Format) -> str | Answer:
        """Return the address that holds the update; a killed article's 410, as *how*."""
        async with self._reading.patience():
            head = await self._reading.snapshots.read_head(slug)
            if head is None or head.status == "unpublished":
                raise unknown(slug)
            if head.status == "killed":
                return withdrawal(head, how)
            named = checked_update_id(update_id)
            update = await self._reading.snapshots.read_update(slug, named)
        if update is None:
            raise unknown_update(update_id)
        among_newest = update.number > head.posted - PAGE_SIZE
        page = "" if among_newest else f"/pages/{update.page}"
        return f"/articles/{slug}{page}#u-{update_id}"

    async def _at(self, slug: str, wish: Hashable, make: Callable[[], Awaitable[Answer]]) -> Answer:
        standing, asked = self._standings.of(slug), monotonic()
        stand = await self._reading.stand(slug)
        standing.read(stand, asked)
        if stand is None:
            raise unknown(slug)
        answer = await self._kept.at(stand, (slug, wish), make)
        standing.showed(answer.mark)
        return answer

    async def _window(self, slug: str, numbers: Callable[[Head], Sequence[int]]) -> Window:
        async with self._reading.patience():
            window = await self._reading.snapshots.read_window(slug, numbers)
        if window is None or window.head.status == "unpublished":
            raise unknown(slug)
        return window

    async def _written(self, slug: str, how: Format) -> Answer:
        window = await self._window(slug, newest_numbers if how in FEEDS else _all_numbers)
        head = window.head
        if head.status == "killed":
            return withdrawal(head, how)
        article = Article(head, window.body, {each.update_id: each for each in window.updates})
        # In a thread, because a long article would hold up everybody's streams.
        body = await asyncio.to_thread(whole.written, article, how.name, self._public_url)
        return representation(head, how, body)

    async def _fragment(self, slug: str) -> Answer:
        window, marked = await self._front(slug)
        if window.head.status == "killed":
            return withdrawal(window.head, FRAGMENT)
        made = html.fragment(
            *(window.head, window.body, _shown(window, marked)),
            marked=marked,
            public_url=self._public_url,
        )
        return representation(window.head, FRAGMENT, made)

    async def _newest(self, slug: str, beside: Sequence[Head]) -> Answer:
        window, marked = await self._front(slug)
        head = window.head
        if head.status == "killed":
            return withdrawal(head, HTML)
        page = html.article_page(
            *(head, window.body, _shown(window, marked), beside),
            marked=marked,
            public_url=self._public_url,
        )
        return representation(head, HTML, page)

    async def _front(self, slug: str) -> tuple[Window, Sequence[Update]]:
        """Return the newest updates, and those that a page shows wherever they stand."""
        for _ in range(_TRIES):
            window = await self._window(slug, newest_numbers)
            async with self._reading.patience():
                marked = await self._reading.marked.read_front(slug)
            if marked is not None and _mark(marked.head) == _mark(window.head):
                return window, marked.updates
        raise moving(slug)

    async def _corrections(self, slug: str, how: Format) -> Answer:
        async with self._reading.patience():
            window = await self._reading.marked.read_noted(slug)
        if window is None or window.head.status == "unpublished":
            raise unknown(slug)
        head, updates = window.head, window.updates
        if head.status == "killed":
            return withdrawal(head, how)
        if how is JSON:
            listed = json.corrections(head, updates, public_url=self._public_url)
            return representation(head, how, json.dumps(listed))
        page = html.corrections_page(head, updates, public_url=self._public_url)
        return representation(head, how, page)

    async def _updates(self, slug: str, number: int, how: Format) -> Answer:
        window = await self._window(slug, lambda head: _numbers_on(head, number))
        head = window.head
        if head.status == "killed":
            return withdrawal(head, how)
        if not window.updates:
            raise HTTPException(404, f"The updates of this article fill {head.page_count} pages.")
        page = html.updates_page(head, number, window.updates, public_url=self._public_url)
        return representation(head, HTML, page)


def _shown(window: Window, marked: Sequence[Update]) -> list[Update]:
    """Return the newest updates, and the pinned one if it is older."""
    head = window.head
    newest = newest_numbers(head)
    older = [each for each in marked if each.update_id == head.pinned and each.number not in newest]
    return [*older, *window.updates]


def _all_numbers(head: Head) -> Sequence[int]:
    return range(1, head.posted + 1)


def _numbers_on(head: Head, page: int) -> Sequence[int]:
    first = (page - 1) * PAGE_SIZE + 1
    return range(first, min(page * PAGE_SIZE, head.posted) + 1)


def _mark(head: Head) -> Mark:
    return Mark(head.version, short(head.chain))
