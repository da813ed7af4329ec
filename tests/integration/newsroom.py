"""A newsroom that files straight into the engine, by the script that ingest uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from shared.article.article import Article
from shared.article.dates import rfc3339
from shared.article.fold import replay
from shared.article.stored import load_entry
from shared.contract.canonical import fingerprint
from shared.contract.events import parse_event
from shared.runtime.installation import Installation, open_installation
from shared.runtime.keys import ArticleKeys
from shared.runtime.lanes import Lanes
from shared.runtime.scripts import Script
from tests.builders import OPENING, SLUG, Envelope

APPEND = Script("services.ingest", "append.lua")


@dataclass(frozen=True)
class Newsroom:
    """Files events; *key* is the installation's."""

    redis: Redis
    lanes: Lanes
    key: bytes = b""

    def keys(self, slug: str = SLUG) -> ArticleKeys:
        return self.lanes.of(slug).article(slug)

    async def file(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            code, _, *_ = await self.append(envelope)
            assert code == b"accepted", code

    async def append(self, envelope: Envelope) -> list[bytes]:
        """Run the script as ingest would, and return its answer."""
        event = parse_event(envelope)
        keys = self.keys(event.subject)
        stored = {"time": rfc3339(OPENING)} | envelope
        answer: Any = await APPEND.run(
            self.redis,
            [keys.seen, keys.article, keys.posted, keys.ledger, keys.lane.events, keys.lane.dirty],
            [
                event.subject,
                f"{event.id} {event.source}",
                fingerprint(self.key, envelope),
                event.type.removeprefix("writethru."),
                event.update_id or "",
                "",
                "false" if event.time else "true",
                orjson.dumps(stored),
            ],
        )
        return list(answer)

    async def replayed(self, slug: str = SLUG) -> Article:
        """Return what the ledger gives."""
        records: Any = await self.redis.lrange(self.keys(slug).ledger, 0, -1)
        return replay(slug, [load_entry(record) for record in records])


async def open_newsroom(redis: Redis, lanes: int = 2) -> Newsroom:
    installation: Installation = await open_installation(redis, lanes)
    return Newsroom(redis, installation.lanes, installation.key)
