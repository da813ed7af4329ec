"""Around every answer: what browsers may do with it, how long a request may be, no silent crash.

Pages of other origins may read what is here, all or those that the settings name; they may not
frame it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.deliver.core.origins import EVERY, on_answer, on_preflight, varies
from services.deliver.faults import described
from services.deliver.memory import Memory

MAX_PATH_BYTES = 512
MAX_QUERY_BYTES = 1_024

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
}

#: Messages of an answer that is sent at once: its head, its body.
_WHOLE = 2

log = structlog.get_logger()


class Guard:
    """Wraps *app*; the outermost layer."""

    def __init__(self, app: ASGIApp, memory: Memory, allowed: Collection[str] = (EVERY,)) -> None:
        self._app = app
        self.memory = memory
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with our headers on its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        sent: list[Message] | None = [] if self.memory.asked(scope) else None
        origin = Headers(scope=scope).get("origin")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, **on_answer(self._allowed, origin)}.items():
                    headers.setdefault(name, value)
                if varies(self._allowed):
                    headers.add_vary_header("Origin")
            if sent is not None and len(sent) < _WHOLE:
                sent.append(message)
            await send(message)

        app = self._early_answer(scope, origin) or self._app
        try:
            await app(scope, receive, send_guarded)
            if sent and not sent[-1].get("more_body"):
                self.memory.keep(scope, sent[0], sent[-1].get("body", b""))
        except asyncio.CancelledError:
            # Only a server that ends does this, to readers that take nothing.
            log.info("request.cut", path=scope["path"])
        except Exception as error:  # noqa: BLE001 -- one request must not end the others
            log.error("request.failed", path=scope["path"], **described(error))

    def _early_answer(self, scope: Scope, origin: str | None) -> Response | None:
        if scope["method"] == "OPTIONS":
            return Response(status_code=204, headers=on_preflight(self._allowed, origin))
        path, query = scope.get("raw_path") or b"", scope["query_string"]
        if len(path) > MAX_PATH_BYTES or len(query) > MAX_QUERY_BYTES:
            said = f"The path may have {MAX_PATH_BYTES} bytes, and the query {MAX_QUERY_BYTES}.\n"
            return Response(said, 414, media_type="text/plain")
        return None
