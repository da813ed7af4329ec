"""Latest News: the articles of all lanes, last updated first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from services.deliver.answers import Answer, listing
from services.deliver.core.negotiation import FEEDS, HTML, Format
from services.deliver.hub import Hub
from services.deliver.kept import Kept
from services.deliver.reading import Reading
from services.deliver.standing import Standing, Standings
from shared.article.article import Head, Mark
from shared.article.formats import html, json, whole
from shared.article.formats.feeds import of_latest
from shared.contract.canonical import short

PAGE = 50
KEPT_BYTES = 256 * 1024
WRITTEN_BYTES = 4 * 1024 * 1024
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

    def __init__(self, reading: Reading, hub: Hub, standings: Standings, public_url: str) -> None:
        self._reading = reading
        self._hub = hub
        self._standings = standings
        self._public_url = public_url
        self._kept: Kept[Page] = Kept(KEPT_BYTES, "latest")
        self._written: Kept[Answer] = Kept(WRITTEN_BYTES, "latest")

    async def page(self, number: int, how: Format) -> Answer:
        """Return page *number* as *how*, one of `LISTS`. The first one is always there.

        Raises:
            HTTPException: there is no such page.
            Busy: the engine does not answer.
        """
        if not self._hub.following:
            return await self._write(number, how)
        key = self._hub.changed, number, how.name
        return await self._written.get(key, lambda: self._write(number, how))

    async def beside(self, slug: str) -> tuple[Head, ...]:
        """Return the newest of the other articles, as of a second ago at most."""
        first = await self._read_first(self._standings.edition())
        return tuple(head for head in first.heads if head.slug != slug)[:BESIDE]

    async def _read_first(self, moment: Standing | int) -> Page:
        if not self._hub.following:
            return await self._read(1)
        return await self._kept.get(moment, lambda: self._read(1))

    async def _write(self, number: int, how: Format) -> Answer:
        page = await self._read_first(self._hub.changed)
        if number > page.pages:
            raise HTTPException(404, f"Latest News has no page {number}.")
        if number > 1:
            page = await self._read(number)
        return listing(how, _document(page, how, self._public_url))

    async def _read(self, number: int) -> Page:
        newest, count = await self._reading.newest(number * PAGE)
        pages = max(1, -(-count // PAGE))
        slugs = [slug for _, slug in newest[(number - 1) * PAGE :]]
        heads = await self._reading.heads(slugs) if slugs else []
        return Page(number, pages, tuple(heads))


def shown(heads: Sequence[Head]) -> tuple[tuple[str, Mark], ...]:
    """Return what tells one list from another."""
    return tuple((head.slug, Mark(head.version, short(head.chain))) for head in heads)


def _document(page: Page, how: Format, public_url: str) -> str | bytes:
    if how is HTML:
        return html.latest_page(
            page.heads, page=page.number, pages=page.pages, public_url=public_url
        )
    if how in FEEDS:
        return whole.FEEDS[how.name](of_latest(page.heads, page.number, page.pages, public_url))
    articles = [json.head(head) for head in page.heads]
    return json.dumps({"page": page.number, "pages": page.pages, "articles": articles})
