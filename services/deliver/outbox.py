"""The outbox of a lane, as the engine holds it: the stream `changes` that render appends to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from services.deliver.core.cursors import START, Outbox, Place, entry_id, parse_place
from shared.runtime.keys import Lane


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a lane's outbox, as it was written."""

    lane: str
    place: Place
    article: str
    fields: dict[bytes, bytes]


async def read_outboxes(
    redis: Redis, lanes: Sequence[Lane], places: Mapping[str, Place]
) -> list[Outbox]:
    """Ask what each lane's outbox holds, and whether the entry at its place is among it."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            at = entry_id(places.get(lane.tag, START))
            asked.xinfo_stream(lane.changes)
            asked.xrange(lane.changes, at, at, 1)
        answers: list[Any] = await asked.execute(raise_on_error=False)
    return [_outbox(info, held) for info, held in zip(answers[0::2], answers[1::2], strict=True)]


def _outbox(info: Any, held: Any) -> Outbox:
    if isinstance(info, Exception):
        if "no such key" in str(info):
            return Outbox()
        raise info
    if isinstance(held, Exception):
        raise held
    last = parse_place(info["last-generated-id"])
    return Outbox(last, info["entries-added"], info["length"], bool(held))


async def read_entries(
    redis: Redis,
    lanes: Sequence[Lane],
    after: Mapping[str, Place],
    until: Mapping[str, Place],
    limit: int,
) -> list[Entry]:
    """Return what was added *after* some places and not beyond others, lane by lane.

    At most *limit* of each lane.
    """
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            first, last = f"({entry_id(after[lane.tag])}", entry_id(until[lane.tag])
            asked.xrange(lane.changes, first, last, limit)
        answers: list[Any] = await asked.execute()
    return [
        Entry(lane.tag, parse_place(entry), fields[b"article"].decode(), fields)
        for lane, entries in zip(lanes, answers, strict=True)
        for entry, fields in entries
    ]
