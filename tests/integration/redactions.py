"""What the tests of redactions do: file, render, and see what is left to do."""

from __future__ import annotations

from typing import Any

from services.ingest.append import Appender
from services.render.destroy import Destroyer
from services.render.store import Store
from shared.contract.events import parse_event
from shared.contract.receipts import Receipt
from shared.runtime.installation import Installation
from shared.runtime.keys import REDACTING
from shared.runtime.lease import Lease
from tests.builders import SLUG, Envelope
from tests.integration.newsroom import Newsroom

SECRET = "the witness is called Marlow Quayle"


def a_destroyer(newsroom: Newsroom) -> Destroyer:
    return Destroyer(newsroom.redis, newsroom.lanes, Lease(newsroom.redis, REDACTING, "one"))


def an_appender(newsroom: Newsroom) -> Appender:
    return Appender(newsroom.redis, Installation(newsroom.lanes, newsroom.key), "fsync")


async def file(appender: Appender, *envelopes: Envelope) -> list[Receipt]:
    return await appender.append([parse_event(envelope) for envelope in envelopes])


async def render(newsroom: Newsroom, slug: str = SLUG) -> None:
    await Store(newsroom.redis, newsroom.lanes).render(slug)


async def notes(newsroom: Newsroom) -> set[bytes]:
    found: Any = await newsroom.redis.smembers(newsroom.keys().lane.redactions)
    return set(found)
