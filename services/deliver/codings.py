"""Answers in the codings that readers take: compressed once for all who get them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from starlette.requests import Request

from services.deliver.answers import Answer
from services.deliver.core.caching import FOR_EVER
from services.deliver.core.codings import LEAST_BYTES, by_accept_encoding, coded
from services.deliver.core.etags import in_coding
from services.deliver.kept import Kept

KEPT_BYTES = 64 * 1024 * 1024
#: What takes longer is compressed in a thread, because it would hold up everybody's streams.
INLINE_BYTES = 32 * 1024


class Codings:
    """One per process. An ETag names its bytes for ever, so it names them in a coding, too."""

    def __init__(self) -> None:
        self._kept: Kept[Answer] = Kept(KEPT_BYTES, "codings")

    async def preferred(self, request: Request, answer: Answer) -> Answer:
        """Return *answer* in the coding that the reader prefers, if that makes it smaller."""
        accepted = ", ".join(request.headers.getlist("accept-encoding"))
        coding = by_accept_encoding(accepted)
        if coding is None or answer.etag is None or len(answer.body) < LEAST_BYTES:
            return answer
        return await self._kept.get((answer.etag, coding), lambda: _compressed(answer, coding))


async def _compressed(answer: Answer, coding: str) -> Answer:
    for_good = answer.keeping is FOR_EVER
    if len(answer.body) <= INLINE_BYTES:
        data = coded(answer.body, coding, for_good=for_good)
    else:
        data = await asyncio.to_thread(coded, answer.body, coding, for_good=for_good)
    if len(data) >= len(answer.body):
        return answer
    headers = {**answer.headers, "content-encoding": coding}
    return replace(answer, body=data, etag=in_coding(answer.etag or "", coding), headers=headers)
