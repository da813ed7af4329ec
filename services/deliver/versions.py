"""`/articles/{slug}/versions/…`: an article as it stood, and two versions of it compared.

Whatever is answered here depends on what was taken back later, so no answer may be kept without
asking again, and the validators name the end of the ledger beside the version.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.deliver.answers import Answer, respond, withdrawal
from services.deliver.changes import unknown
from services.deliver.core.caching import LIVE, PRIVATE, SETTLED, key_of
from services.deliver.core.etags import strong
from services.deliver.core.negotiation import FORMATS, HTML, JSON, Format, for_errors
from services.deliver.history import History, Tip
from services.deliver.kept import Kept
from services.deliver.passes import Passes
from services.deliver.reading import Reading
from services.deliver.requests import accept_of, format_of, moment_of, slug_of
from shared.article.article import Article, Mark
from shared.article.comparison import compare
from shared.article.formats import json, versions, whole
from shared.article.formats.versions import Place
from shared.contract.canonical import short

KEPT_BYTES = 16 * 1024 * 1024
COMPARED = (HTML, JSON)

_NAME = re.compile(r"([1-9][0-9]{0,14})(?:\.\.([1-9][0-9]{0,14}))?(?:\.([a-z][a-z.]*))?")


class _Wish(NamedTuple):
    """What is wanted: a version, the last if *number* is None, or what is new in it since one."""

    slug: str
    how: Format
    number: int | None = None
    since: int | None = None
    varies: bool = False


@dataclass(frozen=True, slots=True)
class Versions:
    """The endpoints. All raise Refused for who may not, and for what is not there; and Busy."""

    reading: Reading
    history: History
    passes: Passes
    public_url: str
    kept: Kept[Answer]

    async def named(self, request: Request) -> Response:
        """Answer with the version that the path names, or with two compared."""
        slug, found = slug_of(request), _NAME.fullmatch(request.path_params["name"])
        if killed := await self._withdrawn(request, slug):
            return await respond(request, killed)
        if found is None:
            raise HTTPException(404, "Versions are counted from 1, as in versions/8 or 5..8.")
        first, second, ending = found.groups()
        how = format_of(ending, accept_of(request), COMPARED if second else FORMATS)
        since = int(first) if second else None
        return await self._respond(
            request, _Wish(slug, how, int(second or first), since, ending is None)
        )

    async def newest(self, request: Request) -> Response:
        """Answer with the last version, or with the one at the time that ``?at=`` names."""
        return await self.at(request, slug_of(request), request.path_params.get("ending"))

    async def at(self, request: Request, slug: str, ending: str | None) -> Response:
        """Do the same for *slug*, in the format that *ending* says."""
        if killed := await self._withdrawn(request, slug):
            return await respond(request, killed)
        how = format_of(ending, accept_of(request), FORMATS)
        return await self._respond(request, _Wish(slug, how, varies=ending is None))

    async def _withdrawn(self, request: Request, slug: str) -> Answer | None:
        """Return a killed article's 410, at whatever address: that, everybody may know."""
        async with self.reading.patience():
            head = await self.reading.snapshots.read_head(slug)
        if head is not None and head.status == "killed":
            return withdrawal(head, for_errors(request.url.path, accept_of(request)))
        self.passes.check_shown()
        return None

    async def _respond(self, request: Request, wish: _Wish) -> Response:
        answer = await self._answer(request, wish)
        return await respond(request, answer, varies=wish.varies)

    async def _answer(self, request: Request, wish: _Wish) -> Answer:
        """Answer who may ask. A kill that was filed holds, though it isn't rendered yet."""
        query = await self.passes.admit(request, wish.slug)
        tip = await self.history.tip(wish.slug)
        if tip.taken.killed:
            return withdrawal((await self.history.version(tip, tip.seq)).head, wish.how)
        number = wish.number or await self._number_at(request, tip)
        _check(wish, number, tip)
        keeping = SETTLED if wish.number else LIVE
        wish = wish._replace(number=number, varies=False)
        answer = await self.kept.get((wish, tip, query), lambda: self._make(wish, tip, query))
        return self._headed(replace(answer, keeping=keeping), wish)

    async def _number_at(self, request: Request, tip: Tip) -> int:
        moment = moment_of(request)
        if moment is None:
            return tip.seq
        if number := await self.history.number_at(tip, moment):
            return number
        raise HTTPException(404, f"The article {tip.slug} had no version yet at that time.")

    async def _make(self, wish: _Wish, tip: Tip, query: str) -> Answer:
        number = wish.number or tip.seq
        if wish.since is not None:
            return await self._compared(wish.how, tip, (wish.since, number), query)
        article = await self.history.version(tip, number)
        if article.head.status == "unpublished":
            raise unknown(wish.slug)
        place = await self._place(tip, number, query)
        body = await asyncio.to_thread(self._write, article, wish.how, tip, place)
        return _answer(article, wish.how, tip, body, {"memento-datetime": _http_date(place)})

    async def _compared(
        self, how: Format, tip: Tip, numbers: tuple[int, int], query: str
    ) -> Answer:
        before, after = [await self.history.version(tip, number) for number in numbers]
        if before.head.status == "unpublished":
            raise unknown(tip.slug)
        places = [await self._place(tip, number, query) for number in numbers]
        async with self.history.a_place():
            found = await asyncio.to_thread(compare, before, after)
        if how is JSON:
            return _answer(after, how, tip, json.dumps(versions.comparison(found, *places)))
        page = versions.comparison_page(found, *places, public_url=self.public_url)
        return _answer(after, how, tip, page.encode())

    async def _place(self, tip: Tip, number: int, query: str) -> Place:
        return Place(number, tip.seq, await self.history.recorded(tip.slug, number), query)

    def _write(self, article: Article, how: Format, tip: Tip, place: Place) -> bytes:
        masked = tip.taken.updates
        if how is JSON:
            return json.dumps(versions.version(article, masked))
        if how is HTML:
            page = versions.version_page(article, masked, place, public_url=self.public_url)
            return page.encode()
        path = f"/articles/{tip.slug}/versions/{place.number}"
        return whole.written(article, how.name, self.public_url, path)

    def _headed(self, answer: Answer, wish: _Wish) -> Answer:
        path = f"/articles/{wish.slug}/versions/"
        name = wish.number if wish.since is None else f"{wish.since}..{wish.number}"
        headers = {
            **answer.headers,
            "content-location": f"{path}{name}.{wish.how.name}",
            "link": f'</articles/{wish.slug}>; rel="original latest-version"',
            "x-robots-tag": "noindex",
        }
        if not self.passes.public:
            headers["vary"] = "Authorization"
            return replace(answer, headers=headers, keeping=PRIVATE)
        return replace(answer, headers=headers, keys=(key_of(wish.slug),))


def _check(wish: _Wish, number: int, tip: Tip) -> None:
    """Raise HTTPException for a version that there is not, or two in the wrong order."""
    if number > tip.seq or (wish.since or 0) > tip.seq:
        raise HTTPException(404, f"The article {tip.slug} has {tip.seq} versions so far.")
    if wish.since is not None and wish.since > number:
        right = f"/articles/{tip.slug}/versions/{number}..{wish.since}"
        raise HTTPException(400, f"Name the earlier version first: {right}.")


def _answer(
    article: Article, how: Format, tip: Tip, body: bytes, headers: dict[str, str] | None = None
) -> Answer:
    mark = Mark(article.head.version, short(article.head.chain))
    etag = strong(mark, f"{how.name}.{tip.seq}.{short(tip.chain)}", body)
    return Answer(body, how.media_type, how.name, etag=etag, headers=headers or {})


def _http_date(place: Place) -> str:
    return format_datetime(place.recorded, usegmt=True)
