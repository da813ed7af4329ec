"""A filed event as whoever may not see what was taken back gets it: pure.

What was retracted or killed is masked so that an event stays one: it passes the same checks and
folds to the same page, for that has nothing of it either. A masked event says so by the extension
`masked`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contract import acts

MASK = "[masked]"

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
#: Readers go on seeing the notes on an update that was retracted.
_MASKED_BUT_NOTES = {name: mask for name, mask in _MASKED.items() if name != "note"}


def killed(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *event* of an article that was killed; the kill itself stays whole."""
    return event if event["type"] == acts.Killed.wire else _masked(event, _MASKED)


def retracted(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return *event* on an update that was retracted."""
    return _masked(event, _MASKED_BUT_NOTES)


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
