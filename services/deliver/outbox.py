"""The outbox of a lane, as the engine holds it: the stream `changes` that render appends to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from redis.asyncio import Redis

from services.deliver.core.cursors import START, Outbox, Place, entry_id, parse_place
from services.deliver.core.topics import Topic, topic_of
from shared.article.article import Mark
from shared.contract.canonical import short
from shared.contract.notices import OVERDUE
from shared.contract.tracing import Trace, read_trace
from shared.runtime.keys import Lane

#: More than one read gives at once, and it would be a burden to the engine.
ENTRIES_A_READ = 1_001


@dataclass(frozen=True, slots=True)
class Entry:
    """A commit of one article; *head* is its public head, as JSON on one line.

    *kinds* are the types of the events that it folded in. *killed*: that head is all that is left
    of the article. *topics* are its own and, if the commit took it from there, the one before; none
    where it is killed. *refolded*: versions that readers have seen before are no longer what they
    were. *since* is when what a `notice` tells of began, in the engine's milliseconds.
    """

    lane: str
    place: Place
    article: str
    start: int
    to: int
    chain: str
    head: bytes
    kinds: tuple[str, ...] = ()
    killed: bool = False
    topics: tuple[Topic, ...] = ()
    refolded: bool = False
    trace: Trace | None = None
    since: int | None = None

    @property
    def notice(self) -> bool:
        """Whether it tells the newsroom something, and nothing has changed for readers."""
        return self.kinds == (OVERDUE,)

    @property
    def mark(self) -> Mark:
        """Where the article is."""
        return Mark(self.to, short(self.chain))


def parse_entry(lane: Lane, place: Place, fields: Mapping[bytes, bytes]) -> Entry | None:
    """Read an entry; None if that is not possible, as anybody may write to a stream."""
    try:
        head = orjson.loads(fields[b"head"])
        killed = head.get("status") == "killed"
        return Entry(
            lane=lane.tag,
            place=place,
            article=fields[b"article"].decode("ascii"),
            start=int(fields[b"from"]),
            to=int(fields[b"to"]),
            chain=fields[b"chain"].decode("ascii"),
            head=fields[b"head"],
            trace=read_trace(fields.get(b"traceparent", b"").decode("ascii")),
            killed=killed,
            topics=() if killed else (topic_of(head), *_topic_before(fields)),
            refolded=b"refolded" in fields,
            since=int(fields[b"since"]) if b"since" in fields else None,
            kinds=tuple(filter(None, fields.get(b"kinds", b"").decode("ascii").split(","))),
        )
    except (KeyError, ValueError, AttributeError):
        return None


def _topic_before(fields: Mapping[bytes, bytes]) -> Iterator[Topic]:
    if was := fields.get(b"was"):
        yield topic_of(orjson.loads(was))


def as_they_stand(entries: Sequence[Entry], killed: Mapping[str, bytes]) -> list[Entry]:
    """Return *entries* without a word of what was killed since.

    An outbox remembers the heads that articles had; one that was killed later, among *entries* or
    as *killed* says (by slug), has the head that was left of it instead.
    """
    left = {**killed, **{entry.article: entry.head for entry in entries if entry.killed}}
    return [replace(entry, head=left.get(entry.article, entry.head)) for entry in entries]


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
) -> list[Entry]:
    """Return what was added *after* some places and not beyond others, lane by lane.

    At most `ENTRIES_A_READ` of each lane.
    """
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            first, last = f"({entry_id(after[lane.tag])}", entry_id(until[lane.tag])
            asked.xrange(lane.changes, first, last, ENTRIES_A_READ)
        answers: list[Any] = await asked.execute()
    found = (
        parse_entry(lane, parse_place(place), fields)
        for lane, entries in zip(lanes, answers, strict=True)
        for place, fields in entries
    )
    return [entry for entry in found if entry]
