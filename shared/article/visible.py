"""What may be seen of what was filed, given all that was taken back since: the one place. Pure.

An article as it stands now has nothing of what was taken back, for the fold drops it. Whoever
shows events, or an article as it stood, passes them through here first. A masked event stays one:
it passes the same checks, keeps its place, time and sender, and folds to the same page, because
that has nothing of it either. It says so by the extension `masked`.

A retraction leaves the notes on its update, which readers go on seeing; a redaction leaves its own
alone, for any other may quote the text; a kill leaves nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.article.article import Entry
from shared.contract import acts
from shared.contract.events import parse_event

MASK = "[masked]"

_TAKING = (acts.Retracted.wire, acts.Redacted.wire)

#: What is left of an envelope: other extensions are a sender's own, and could say anything.
_KEPT = (
    "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "baseversion",
)  # fmt: skip
#: What stands for each field that says something; a field in neither table says nothing.
_MASKED: Mapping[str, Any] = {
    "text": MASK,
    "headline": MASK,
    "body": "",
    "note": MASK,
    "section": None,
    "summary": None,
    "image": None,
    "canonical_url": None,
    "tags": [],
    "authors": [],
    "sources": [],
    "images": [],
}
_MASKED_BUT_NOTES = {name: mask for name, mask in _MASKED.items() if name != "note"}


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What of an article was taken back: all of it, or updates, by their ids."""

    killed: bool = False
    retracted: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()

    @property
    def updates(self) -> frozenset[str]:
        """The ids of all updates that have no copy any more."""
        return self.retracted | self.redacted


def taken_back(events: Iterable[Mapping[str, Any]], before: TakenBack = TakenBack()) -> TakenBack:
    """Return what has been taken back once *events* have followed what made *before*."""
    killed = before.killed
    ids: dict[str, set[str]] = {wire: set() for wire in _TAKING}
    for event in events:
        killed = killed or event["type"] == acts.Killed.wire
        if event["type"] in ids and (update_id := update_of(event)):
            ids[event["type"]].add(update_id)
    retracted, redacted = ids.values()
    return TakenBack(killed, before.retracted | retracted, before.redacted | redacted)


def may_take_back(record: bytes) -> bool:
    """Whether ledger entry *record* may take something back: most can be passed over unread."""
    return any(wire.encode() in record for wire in (*_TAKING, acts.Killed.wire))


def visible(event: Mapping[str, Any], taken: TakenBack) -> Mapping[str, Any]:
    """Return *event* as it may be seen; itself where that is all of it."""
    if taken.killed:
        return event if event["type"] == acts.Killed.wire else wordless(event)
    update_id = update_of(event)
    if update_id in taken.redacted:
        return event if event["type"] == acts.Redacted.wire else wordless(event)
    return _masked(event, _MASKED_BUT_NOTES) if update_id in taken.retracted else event


def visible_entry(entry: Entry, taken: TakenBack) -> Entry:
    """Return *entry* of a ledger with its event as it may be seen."""
    if entry.event is None:
        return entry
    shown = visible(entry.event.envelope, taken)
    return entry if shown is entry.event.envelope else replace(entry, event=parse_event(shown))


def wordless(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a redaction leaves of *event*: notes may quote, so they go as well."""
    return _masked(event, _MASKED)


def update_of(event: Mapping[str, Any]) -> str | None:
    """Return the id of the update that *event* is about."""
    named: str | None = event["data"].get("update_id")
    return event["id"] if named is None and event["type"] == acts.Posted.wire else named


def _masked(event: Mapping[str, Any], masks: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *event* with its fields masked; itself where it has nothing to mask."""
    data: Mapping[str, Any] = event["data"]
    if not masks.keys() & data.keys():
        return event
    covered = {name: _cover(value, masks[name]) for name, value in data.items() if name in masks}
    kept = {name: event[name] for name in _KEPT if name in event}
    return {**kept, "masked": True, "data": {**data, **covered}}


def _cover(value: object, mask: object) -> object:
    return None if value is None else mask
