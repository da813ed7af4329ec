"""Around every answer: what browsers may do with it, how long a request may be, no silent crash.

Everything here is public and nothing depends on cookies, so pages of other origins may read it
(`Access-Control-Allow-Origin: *`); they may not frame it.
"""

from __future__ import annotations

import asyncio

import structlog
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.deliver.faults import described

MAX_PATH_BYTES = 512
MAX_QUERY_BYTES = 1_024

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Retry-After",
}
PREFLIGHT = {
    "allow": "GET, HEAD, OPTIONS",
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "Accept, If-None-Match, Last-Event-ID",
    "access-control-max-age": "86400",
}

log = structlog.get_logger()


class Guard:
    """Wraps *app*; the outermost layer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with our headers on its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app = _early_answer(scope) or self._app
        try:
            await app(scope, receive, send_guarded)
        except asyncio.CancelledError:
            # Only a server that ends does this, to readers that take nothing.
            log.info("request.cut", path=scope["path"])
        except Exception as error:  # noqa: BLE001 -- one request must not end the others
            log.error("request.failed", path=scope["path"], **described(error))


def _early_answer(scope: Scope) -> Response | None:
    if scope["method"] == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    path, query = scope.get("raw_path") or b"", scope["query_string"]
    if len(path) > MAX_PATH_BYTES or len(query) > MAX_QUERY_BYTES:
        said = f"The path may have {MAX_PATH_BYTES} bytes, and the query {MAX_QUERY_BYTES}.\n"
        return Response(said, 414, media_type="text/plain")
    return None
