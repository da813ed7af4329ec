"""Which events could not be folded, as commits have noted it: one hash a lane, no scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis.asyncio import Redis

from services.render.core.marks import read_marks
from shared.article.visible import may_take_back, taken_back, visible
from shared.runtime.lanes import Lanes
from shared.runtime.ledgers import Ledgers

ENTRIES_A_READ = 500


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Event *seq* of an article; *event* is empty where its entry can't be read at all."""

    article: str
    seq: int
    revision: int
    why: str
    event: Mapping[str, Any] = field(default_factory=dict)


async def read_marked(redis: Redis, lanes: Lanes) -> list[Quarantined]:
    """Return all such events, by article and seq, without what they say.

    Raises:
        ValueError: a note of them can't be read.
    """
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.hgetall(lane.quarantined)
        found: list[Any] = await asked.execute()
    noted = sorted((slug.decode(), text.decode()) for each in found for slug, text in each.items())
    return [
        Quarantined(slug, mark.seq, mark.revision, mark.why)
        for slug, text in noted
        for mark in read_marks(text)
    ]


async def read_quarantined(redis: Redis, lanes: Lanes) -> dict[str, tuple[int, ...]]:
    """Return the seqs of such events by article."""
    found: dict[str, tuple[int, ...]] = {}
    for each in await read_marked(redis, lanes):
        found[each.article] = (*found.get(each.article, ()), each.seq)
    return found


async def read_event(ledgers: Ledgers, slug: str, seq: int) -> Mapping[str, Any]:
    """Return the event at *seq* as it was filed; empty where that can't be read."""
    records = await ledgers.read(slug, seq - 1, seq)
    return _event(records[0]) if records else {}


async def read_shown(ledgers: Ledgers, slug: str, seq: int) -> Mapping[str, Any]:
    """Return that event without anything that was taken back since."""
    taking: list[Mapping[str, Any]] = []
    after = 0
    while records := await ledgers.read(slug, after, after + ENTRIES_A_READ):
        taking += [_event(record) for record in records if may_take_back(record)]
        after += len(records)
    event = await read_event(ledgers, slug, seq)
    return visible(event, taken_back(each for each in taking if each)) if event else {}


def _event(record: bytes) -> Mapping[str, Any]:
    try:
        event: Any = orjson.loads(record)["event"]
    except (ValueError, LookupError, TypeError):
        return {}
    usable = isinstance(event, dict) and {"id", "source", "type", "data"} <= event.keys()
    return event if usable and isinstance(event["data"], dict) else {}


def by_article(found: Sequence[Quarantined]) -> dict[str, list[Quarantined]]:
    """Return *found* by article."""
    return {
        slug: [each for each in found if each.article == slug]
        for slug in dict.fromkeys(each.article for each in found)
    }
