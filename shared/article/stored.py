"""State as bytes and back: what the engine holds of a head, a body and an update.

Also the *ref*, the name under which one form of an update is stored. A ref carries the version
and chain that made it and the fold's revision, so it never names other bytes, whoever writes.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from shared.article.article import Body, Entry, Head, Mark, Update
from shared.article.fold import FOLD_REVISION
from shared.contract.errors import InvalidEvent
from shared.contract.events import parse_event

T = TypeVar("T")

_HEAD: TypeAdapter[Head] = TypeAdapter(Head)
_BODY: TypeAdapter[Body] = TypeAdapter(Body)
_UPDATE: TypeAdapter[Update] = TypeAdapter(Update)

_LINK = re.compile(
    rb'\{"seq":([0-9]+),"chain":"([0-9a-f]{40})","fingerprint":"([0-9a-f]{64})"'
    rb'(?:,"recorded":([0-9]+))?'
)


def dump_head(head: Head) -> bytes:
    """Return *head* as JSON; what is at its default is left out."""
    return _HEAD.dump_json(head, exclude_defaults=True)


def load_head(data: bytes) -> Head:
    """Return the head that `dump_head` wrote; ValueError for what it didn't."""
    return _load(_HEAD, data)


def dump_body(body: Body) -> bytes:
    """Return *body* as JSON."""
    return _BODY.dump_json(body, exclude_defaults=True)


def load_body(data: bytes) -> Body:
    """Return the body that `dump_body` wrote; ValueError as `load_head`."""
    return _load(_BODY, data)


def dump_update(update: Update) -> bytes:
    """Return *update* as JSON."""
    return _UPDATE.dump_json(update, exclude_defaults=True)


def load_update(data: bytes) -> Update:
    """Return the update that `dump_update` wrote; ValueError as `load_head`."""
    return _load(_UPDATE, data)


def _load(kind: TypeAdapter[T], data: bytes) -> T:
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        # Its text would carry copy into a log.
        wrong = ", ".join(".".join(map(str, item["loc"])) for item in error.errors()[:3])
        raise ValueError(f"stored state that can't be read, at {wrong or 'its start'}") from None


def update_ref(update: Update) -> str:
    """Name this form of *update*."""
    return f"{update.update_id}@{_place(update.changed)}"


def body_ref(head: Head) -> str:
    """Name the body of *head*; the colon keeps it apart from every update_id."""
    return f":body@{_place(head.body)}"


def _place(mark: Mark) -> str:
    return f"{mark.version}.{mark.chain12}.r{FOLD_REVISION}"


class Link(NamedTuple):
    """An entry's place in the history: what its chain is made of."""

    seq: int
    chain: str
    fingerprint: str


def recorded_at(record: bytes) -> int | None:
    """Return when the engine took a ledger entry, in milliseconds; None if that can't be read."""
    found = _LINK.match(record)
    return int(found[4]) if found and found[4] else None


def link_of(record: bytes) -> Link:
    """Read a ledger entry's first fields, and not the event behind them.

    Raises:
        ValueError: this is no ledger entry.
    """
    if not (found := _LINK.match(record)):
        raise ValueError("a ledger entry must begin with seq, chain and fingerprint")
    return Link(int(found[1]), found[2].decode(), found[3].decode())


def load_entry(record: bytes) -> Entry:
    """Read one ledger entry.

    An event that can't be read becomes None: the fold marks it and goes on. ValueError as
    `link_of`, for without a place in the history there is nothing to go on from.
    """
    link = link_of(record)
    try:
        event = parse_event(orjson.loads(record)["event"])
    except (ValueError, LookupError, InvalidEvent):
        event = None
    return Entry(link.seq, link.chain, event)
