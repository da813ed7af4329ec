"""`POST /v1/links`: a link for a browser, which sends no key.

It leads into an article's history, or, where not everybody may read, to an article or to all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.deliver import readers
from services.deliver.core.caching import UNKEPT
from services.deliver.core.links import LONGEST, Link
from services.deliver.core.negotiation import JSON
from services.deliver.history import History
from services.deliver.passes import Passes
from services.deliver.readers import Readers
from services.deliver.requests import checked_slug
from shared.article.dates import rfc3339

MAX_BYTES = 4_096

_PATH = re.compile(r"/articles/([a-z0-9-]{1,128})/versions(?:[/.][0-9a-z][0-9a-z.]{0,60})?")
_PAGE = re.compile(r"/|/articles/([a-z0-9-]{1,128})")
_FORM = (
    'Send {"path": "/articles/{slug}/versions/8", "seconds": 900}, or "/articles/{slug}"; '
    f"seconds may be left out. At most {LONGEST} open history, and {readers.LONGEST} a page."
)


@dataclass(frozen=True, slots=True)
class Lending:
    """The endpoint. Raises as `Passes.admit`, and Refused for an article that is not there."""

    history: History
    passes: Passes
    readers: Readers | None
    public_url: str

    async def __call__(self, request: Request) -> Response:
        """Answer who may read the history that the link is to open."""
        path, seconds = await _wish_of(request)
        into_history = _PATH.fullmatch(path)
        lend = self._into_history if into_history else self._to_a_page
        link, query = await lend(request, path, seconds)
        expires = rfc3339(datetime.fromtimestamp(link.expires, UTC)) if link else None
        document = {"url": f"{self.public_url}{path}{query}", "expires": expires}
        return Response(
            orjson.dumps(document), 201, {"cache-control": UNKEPT.browsers}, JSON.media_type
        )

    async def _into_history(
        self, request: Request, path: str, seconds: int | None
    ) -> tuple[Link | None, str]:
        self.passes.check_shown()
        slug = _checked(_PATH, path)
        link = await self.passes.link(request, slug, _up_to(LONGEST, seconds))
        await self.history.tip(slug)
        return link, self.passes.query_of(link) if link else ""

    async def _to_a_page(
        self, request: Request, path: str, seconds: int | None
    ) -> tuple[Link | None, str]:
        slug = None if path == "/" else _checked(_PAGE, path)
        limited = _up_to(readers.LONGEST, seconds)
        if self.readers is None:
            raise HTTPException(422, f"Everybody may read {path}; it takes no link. {_FORM}")
        link = await self.readers.lend(request, slug, limited)
        return link, self.readers.query_of(link)


def _checked(paths: re.Pattern[str], path: str) -> str:
    """Return the slug in *path*. Raises HTTPException, or Refused for what no article can have."""
    found = paths.fullmatch(path)
    if found is None:
        raise HTTPException(422, _FORM)
    return checked_slug(found[1])


def _up_to(longest: int, seconds: int | None) -> int:
    if seconds is not None and not 0 < seconds <= longest:
        raise HTTPException(422, _FORM)
    return seconds or min(longest, 3_600)


async def _wish_of(request: Request) -> tuple[str, int | None]:
    """Return the path to open, and for how many seconds if that was said; HTTPException else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"This takes {MAX_BYTES} bytes at most.")
    try:
        wish: Any = orjson.loads(body)
        path, seconds = wish["path"], wish.get("seconds")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise HTTPException(400, _FORM) from None
    if type(path) is not str:
        raise HTTPException(400, _FORM)
    if not (_PATH.fullmatch(path) or _PAGE.fullmatch(path)) or type(seconds) not in (int, NoneType):
        raise HTTPException(422, _FORM)
    return path, seconds
