"""`POST /v1/links`: a link into an article's history, for a browser, which sends no key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.deliver.core.caching import UNKEPT
from services.deliver.core.links import LONGEST
from services.deliver.core.negotiation import JSON
from services.deliver.history import History
from services.deliver.passes import Passes
from services.deliver.requests import checked_slug
from shared.article.dates import rfc3339

MAX_BYTES = 4_096

_PATH = re.compile(r"/articles/([a-z0-9-]{1,128})/versions(?:[/.][0-9a-z][0-9a-z.]{0,60})?")
_FORM = (
    'Send {"path": "/articles/{slug}/versions/8", "seconds": 900}; seconds may be left out, '
    f"and {LONGEST} is the most."
)


@dataclass(frozen=True, slots=True)
class Lending:
    """The endpoint. Raises as `Passes.admit`, and Refused for an article that is not there."""

    history: History
    passes: Passes
    public_url: str

    async def __call__(self, request: Request) -> Response:
        """Answer who may read the history that the link is to open."""
        self.passes.check_shown()
        path, slug, seconds = await _wish_of(request)
        link = await self.passes.link(request, slug, seconds)
        await self.history.tip(slug)
        query = self.passes.query_of(link) if link else ""
        expires = rfc3339(datetime.fromtimestamp(link.expires, UTC)) if link else None
        document = {"url": f"{self.public_url}{path}{query}", "expires": expires}
        return Response(
            orjson.dumps(document), 201, {"cache-control": UNKEPT.browsers}, JSON.media_type
        )


async def _wish_of(request: Request) -> tuple[str, str, int]:
    """Return the path to open, its article, and for how many seconds; HTTPException else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"This takes {MAX_BYTES} bytes at most.")
    try:
        wish: Any = orjson.loads(body)
        path, seconds = wish["path"], wish.get("seconds", LONGEST)
        found = _PATH.fullmatch(path)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise HTTPException(400, _FORM) from None
    if found is None or type(seconds) is not int or not 0 < seconds <= LONGEST:
        raise HTTPException(422, _FORM)
    return path, checked_slug(found[1]), seconds
