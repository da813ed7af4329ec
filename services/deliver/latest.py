"""Latest News: the articles of all lanes, last updated first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.deliver.answers import Answer, representation
from services.deliver.core.negotiation import FEEDS, HTML, Format
from services.deliver.hub import Hub
from services.deliver.kept import Kept
from services.deliver.reading import Reading
from shared.article.article import Head, Mark
from shared.article.formats import html, json, whole
from shared.article.formats.feeds import of_latest
from shared.contract.canonical import short

PAGE = 50
KEPT_BYTES = 256 * 1024
#: How many other articles an article's page shows.
BESIDE = 10


@dataclass(frozen=True, slots=True)
class Page:
    """One page of *pages*; both count from 1."""

    number: int
    pages: int
    heads: tuple[Head, ...]

    @property
    def size(self) -> int:
        """Bytes, roughly."""
        return 1_024 * (1 + len(self.heads))


class Latest:
    """Reads the list again only after something has changed."""

    def __init__(self, reading: Reading, hub: Hub) -> None:
        self._reading = reading
        self._hub = hub
        self._kept: Kept[Page] = Kept(KEPT_BYTES, "latest")

    async def page(self, number: int) -> Page | None:
        """Return page *number*; None if there is none. The first one is always there.

        Raises:
            Busy: the engine does not answer.
        """
        first = await self._read_first()
        if number > first.pages:
            return None
        return first if number == 1 else await self._read(number)

    async def beside(self, slug: str) -> tuple[Head, ...]:
        """Return the newest of the other articles."""
        first = await self._read_first()
        return tuple(head for head in first.heads if head.slug != slug)[:BESIDE]

    async def _read_first(self) -> Page:
        if not self._hub.following:
            return await self._read(1)
        return await self._kept.get(self._hub.changed, lambda: self._read(1))

    async def _read(self, number: int) -> Page:
        newest, count = await self._reading.newest(number * PAGE)
        pages = max(1, -(-count // PAGE))
        slugs = [slug for _, slug in newest[(number - 1) * PAGE :]]
        heads = await self._reading.heads(slugs) if slugs else []
        return Page(number, pages, tuple(heads))


def shown(heads: Sequence[Head]) -> tuple[tuple[str, Mark], ...]:
    """Return what tells one list from another."""
    return tuple((head.slug, Mark(head.version, short(head.chain))) for head in heads)


def written(page: Page, how: Format, public_url: str) -> Answer:
    """Return *page* as *how*, one of `LISTS`."""
    return representation(Mark(), how, _write(page, how, public_url))


def _write(page: Page, how: Format, public_url: str) -> str | bytes:
    if how is HTML:
        return html.latest_page(
            page.heads, page=page.number, pages=page.pages, public_url=public_url
        )
    if how in FEEDS:
        return whole.FEEDS[how.name](of_latest(page.heads, page.number, page.pages, public_url))
    articles = [json.head(head) for head in page.heads]
    return json.dumps({"page": page.number, "pages": page.pages, "articles": articles})
