"""What goes back: receipts, and problems as `application/problem+json`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.ingest.reading import Unread
from shared.contract.errors import WritethruError
from shared.contract.receipts import Receipt
from shared.runtime.problems import MEDIA_TYPE, RETRY_AFTER, problem, seconds_after

#: How long a sender may take to notice that it was answered.
PARTING_SECONDS = 5.0


class Parting(Response):
    """Answers somebody who may still be sending, then closes the connection.

    To close at once would reset it, and most clients would never see the answer; so what they send
    is thrown away for a while.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all but the end, wait until the sender stops, end."""

        async def send_all_but_the_end(message: Message) -> None:
            await send({**message, "more_body": True} if "body" in message else message)

        self.headers["connection"] = "close"
        await super().__call__(scope, receive, send_all_but_the_end)
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING_SECONDS):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def of_one(receipt: Receipt) -> Response:
    """Answer a request in single form: the receipt, or the problem itself."""
    return of_many([receipt]) if receipt.problem is None else described(receipt.problem)


def of_many(receipts: Sequence[Receipt]) -> Response:
    """Answer a batch: 207 when an event was rejected. One whose fate is unknown was not."""
    problems = [receipt.problem for receipt in receipts if receipt.problem is not None]
    rejected = any(receipt.status == "rejected" for receipt in receipts)
    body = orjson.dumps({"receipts": [receipt.to_json() for receipt in receipts]})
    headers = _headers(*(each["code"] for each in problems))
    return Response(body, 207 if rejected else 202, headers, "application/json")


def refusal(error: WritethruError) -> Response:
    """Answer a request that is refused as a whole."""
    after = seconds_after(error)
    headers = {} if after is None else {"retry-after": str(after)}
    kind = Parting if isinstance(error, Unread) else Response
    return described(problem(error), headers, kind)


def no_such(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer a request for what isn't there; such errors have no code of their own."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return described(document, headers or {})


def described(
    document: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    kind: type[Response] = Response,
) -> Response:
    """Return a problem document as the answer that it describes."""
    headers = {**_headers(document.get("code", "")), **(headers or {})}
    return kind(orjson.dumps(document), document["status"], headers, MEDIA_TYPE)


def _headers(*codes: str) -> dict[str, str]:
    headers = {"cache-control": "no-store"}
    if waits := [RETRY_AFTER[code] for code in codes if code in RETRY_AFTER]:
        headers["retry-after"] = str(max(waits))
    if "unauthenticated" in codes:
        headers["www-authenticate"] = "Bearer"
    return headers
