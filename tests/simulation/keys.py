"""What the engine holds, and what its scripts take and give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tests.simulation.article import Entry, Event, Part, Position, State


class Receipt(NamedTuple):
    status: str
    seq: int = 0
    chain: str = ""
    code: str = ""


class Wakeup(NamedTuple):
    """An entry of the lane's stream: event *seq* of *slug*, with *text*, is in the ledger."""

    id: int
    slug: str
    seq: int
    text: str = ""

    def __str__(self) -> str:
        return f"{self.slug}#{self.seq}"


class Change(NamedTuple):
    """An entry of the outbox: versions *start* + 1 to *end* became visible at once."""

    id: int
    slug: str
    start: int
    end: int
    chain: str

    @property
    def to(self) -> Position:
        return self.end, self.chain


class Head(NamedTuple):
    """The small facts of what is committed; *body* is a ref."""

    version: int = 0
    chain: str = ""
    status: str | None = None
    body: str | None = None
    posted: int = 0
    said: int = 0

    @property
    def position(self) -> Position:
        return self.version, self.chain


class Filed(NamedTuple):
    """How many events are in the ledger, and what is committed."""

    seq: int
    position: Position


Refs = tuple[str, ...]


class Plan(NamedTuple):
    """What a renderer wants to make current in place of what stood at *base*.

    The bytes go *ahead*; *updates* and *body* name them. *superseded* fields go. With *replace*,
    nothing that stood there counts.
    """

    base: Position
    head: Head
    ahead: Mapping[str, Part] = {}
    updates: Mapping[str, str] = {}
    body: str | None = None
    pages: Mapping[int, Refs] = {}
    superseded: tuple[str, ...] = ()
    wakeups: tuple[Wakeup, ...] = ()
    replace: bool = False


class Hold(NamedTuple):
    """An event that has no number yet. *stop*, a problem's code, is an editor's to lift.

    One that an editor has *lifted* has no embargo any more.
    """

    order: int
    event: Event
    stop: str = ""
    lifted: bool = False


@dataclass(slots=True)
class Keys:
    """The keys of one article. *pointers* and *parts* are one hash, `updates`."""

    ledger: list[Entry] = field(default_factory=list)
    seen: dict[tuple[str, str], tuple[int, str, str]] = field(default_factory=dict)
    seq: int = 0
    chain: str = ""
    status: str | None = None
    posted: dict[str, str] = field(default_factory=dict)
    holds: dict[tuple[str, str], Hold] = field(default_factory=dict)
    orders: int = 0
    version: int = 0
    version_chain: str = ""
    head: Head = field(default_factory=Head)
    pages: dict[int, Refs] = field(default_factory=dict)
    pointers: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)

    @property
    def filed(self) -> Filed:
        return Filed(self.seq, (self.version, self.version_chain))

    def copy(self) -> Keys:
        return replace(
            self,
            ledger=list(self.ledger),
            seen=dict(self.seen),
            posted=dict(self.posted),
            holds=dict(self.holds),
            pages=dict(self.pages),
            pointers=dict(self.pointers),
            parts=dict(self.parts),
        )


@dataclass(slots=True)
class Group:
    """The consumer group: how far it has read, and who has what and did not ack it."""

    last: int = 0
    pending: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Evidence:
    """What a step left for the invariants to look at. No part of the engine."""

    touched: str | None = None
    acked: list[int] = field(default_factory=list)
    receipts: list[tuple[str, Event, Receipt]] = field(default_factory=list)
    pages: list[tuple[str, State]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    told: list[tuple[str, Position, str, int, Position]] = field(default_factory=list)
    redacted: list[tuple[str, str]] = field(default_factory=list)
    # Of all that ever happened: what was held, and what an editor has let out or taken out.
    held: set[tuple[str, ...]] = field(default_factory=set)
    looked_at: set[tuple[str, ...]] = field(default_factory=set)
    lifted: set[tuple[str, ...]] = field(default_factory=set)
    spiked: set[tuple[str, ...]] = field(default_factory=set)
