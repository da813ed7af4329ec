"""`GET /v1/articles/{slug}/events`: an article's ledger, one event a line, oldest first.

Each line is the event as it was filed, with its `seq` and `chain`. What was retracted or killed
since is masked, but for keys with the scope admin.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from fastapi import APIRouter, Request, Response
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import StreamingResponse

from services.ingest import answers
from services.ingest.callers import Callers
from services.ingest.core.bodies import LINES
from shared.article.visible import TakenBack, update_of, visible
from shared.contract.copy_rules import MAX_SLUG, SLUG
from shared.contract.errors import Busy, Refused
from shared.runtime.keys import ArticleKeys
from shared.runtime.lanes import Lanes
from shared.runtime.ledgers import Ledgers

#: Read, and masked, at a time: at most some megabytes.
CHUNK_EVENTS = 50
PATIENCE_SECONDS = 10.0

_SEQ = re.compile(r"[0-9]{1,15}")
_log = structlog.get_logger()

router = APIRouter()

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownLedgers:
    """All ledgers, and whoever may read them."""

    redis: Redis
    lanes: Lanes
    callers: Callers
    ledgers: Ledgers

    async def lines(self, slug: str, after: int, *, whole: bool) -> AsyncIterator[bytes]:
        """Yield the events of *slug* after seq *after*, as far as there are any now, in chunks.

        Raises:
            Refused: there is no such article.
        """
        keys = self.lanes.of(slug).article(slug)
        length = int(await self.redis.hget(keys.article, "seq") or 0)
        if not length:
            raise _unknown(slug)
        for start in range(after, length, CHUNK_EVENTS):
            found = await self.ledgers.read(slug, start, min(start + CHUNK_EVENTS, length))
            records = [orjson.loads(record) for record in found]
            shown = records if whole else await self._masked(keys, records)
            yield b"".join(map(_line, shown))

    async def _masked(self, keys: ArticleKeys, records: Sequence[Record]) -> list[Record]:
        """Mask what was taken back. It is asked after the reading: so late, and no sooner."""
        ids = [update_of(record["event"]) or "" for record in records]
        async with self.redis.pipeline(transaction=False) as reads:
            reads.hget(keys.article, "status")
            reads.hmget(keys.posted, ids)
            article, updates = await reads.execute()
        gone = {name for name, status in zip(ids, updates, strict=True) if status == b"retracted"}
        taken = TakenBack(article == b"killed", frozenset(gone))
        return [{**record, "event": visible(record["event"], taken)} for record in records]


@router.get("/v1/articles/{slug}/events")
async def read(slug: str, request: Request) -> Response:
    """Read the events of an article, as NDJSON, oldest first."""
    ledgers: ShownLedgers = request.app.state.ledgers
    after = request.query_params.get("after", "0")
    if not _SEQ.fullmatch(after):
        return answers.no_such(400, "after is the seq of the last event that you have, such as 8.")
    host = request.client.host if request.client else None
    rights = await ledgers.callers.rights(request.headers, host)
    if said := rights.refusal_to_read(slug):
        raise Refused("forbidden", said)
    if len(slug) > MAX_SLUG or not re.fullmatch(SLUG, slug):
        raise _unknown(slug[:MAX_SLUG])
    lines = ledgers.lines(slug, int(after), whole=rights.has("admin"))
    headers = {"cache-control": "no-store"}
    return StreamingResponse(await _begun(lines), media_type=LINES, headers=headers)


async def _begun(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return *lines* once the first are there: until then a failure can be answered.

    Later only the connection can tell of one: it breaks off.
    """
    try:
        first = await _next(lines)
    except (RedisError, OSError) as error:
        _log.error("ledger.unread", reason=type(error).__name__)
        raise Busy("The events can't be read at the moment; try again.") from None

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        while more := await _next(lines):
            yield more

    return all_of_them()


async def _next(lines: AsyncIterator[bytes]) -> bytes:
    """Return the next lines, none at the end. Raises TimeoutError for an engine gone silent."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(lines, b"")


def _line(record: Record) -> bytes:
    named = {**record["event"], "seq": record["seq"], "chain": record["chain"]}
    return orjson.dumps(named) + b"\n"


def _unknown(slug: str) -> Refused:
    return Refused("unknown-article", f'There is no article "{slug}" here.')
