"""A request's bytes, within limits of size and time; what is beyond a limit is not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request

from services.ingest.core.bodies import MAX_REQUEST_BYTES
from shared.contract.errors import Refused


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a body may take: *pause* without a byte, *whole* from first to last."""

    pause: float = 10.0
    whole: float = 30.0


class Unread(Refused):
    """The request was refused in the middle of its body, so its connection can't be used again."""


def check_length(request: Request) -> None:
    """Refuse a body whose declared length is over the limit, before any of it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_REQUEST_BYTES:
        raise _too_large()


async def read_body(request: Request, patience: Patience) -> bytes:
    """Return the whole body.

    Raises:
        Unread: it is over the limit, or came too slowly.
        ClientDisconnect: it stopped half-way.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(patience.whole):
            chunks = request.stream()
            while (chunk := await _next(chunks, patience.pause)) is not None:
                body += chunk
                if len(body) > MAX_REQUEST_BYTES:
                    raise _too_large()
    except TimeoutError:
        detail = "The body came too slowly to wait for the rest of it; send it again."
        raise Unread("malformed", detail) from None
    return bytes(body)


async def _next(chunks: AsyncIterator[bytes], seconds: float) -> bytes | None:
    async with asyncio.timeout(seconds):
        return await anext(chunks, None)


def _too_large() -> Unread:
    mebibytes = MAX_REQUEST_BYTES // 1024 // 1024
    return Unread("too-large", f"A request is at most {mebibytes} MiB; split it.")
