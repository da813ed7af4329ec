"""What an open page takes in place: the parts of it that a change has changed, as HTML.

It is made by the templates that make a page, so a page that took every change is the page that
one gets by loading it. The shape is the page's script's own (`assets/article.js`), and may change
with it; it says nothing that the HTML says, as a change goes to every reader. A page that was
loaded before such a change must find it wrong, and so load itself anew: *to* has to stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

from shared.article.article import PAGE_SIZE, Body, Head, Update
from shared.article.editing import LISTED, corrections, key_events
from shared.article.formats.citations import body_numbers, body_sources, cited_blocks, own_sources
from shared.article.formats.dressing import TEMPLATES
from shared.article.formats.html import moment
from shared.article.formats.json import killed as killed_facts
from shared.contract.canonical import short


def _parts() -> Any:
    return TEMPLATES.get_template("parts.html").module


@dataclass(frozen=True, slots=True)
class Taken:
    """A change as a page takes it: *kind* is added, changed or retracted."""

    kind: str
    update: Update


@dataclass(frozen=True, slots=True)
class Beside:
    """What else a page is made of: its *body*, the newest *updates*, and those *marked*."""

    body: Body
    updates: Sequence[Update]
    marked: Sequence[Update]


def lists_changed(head: Head, since: int) -> bool:
    """Whether a change from version *since* to *head* needs what stands `Beside`."""
    return max(head.noted, head.keyed, head.sourced, head.body.version) > since


def change(
    head: Head, since: int, changes: Iterable[Taken], beside: Beside | None
) -> dict[str, Any]:
    """Return what a page at version *since* lacks; *beside* is there where lists have changed."""
    taken = list(changes)
    parts = _counts(head)
    if head.titled > since:
        parts |= _title(head)
    if beside is not None:
        parts |= _lists(head, since, taken, beside)
    return {
        "to": head.version,
        "at": short(head.chain),
        "state": head.status,
        "first": max(1, head.posted - PAGE_SIZE + 1),
        "parts": {name: str(html) for name, html in parts.items()},
        "updates": [_taken(each, head) for each in taken],
    }


def killed(head: Head) -> dict[str, Any]:
    """Return what stands in the place of a killed article."""
    return {**killed_facts(head), "html": str(_parts().withdrawn(head))}


def _taken(each: Taken, head: Head) -> dict[str, Any]:
    update = each.update
    html, sources = (
        str(show(update, head)).strip() for show in (_parts().show_update, _parts().show_sources)
    )
    return {"kind": each.kind, "html": html} | ({"sources": sources} if sources else {})


def _counts(head: Head) -> dict[str, Any]:
    """Return what any change may have changed, by the ids of its places."""
    updated = head.updated_at
    return {
        "updated": _parts().time(moment(updated, head)) if updated else "",
        "count": _parts().count(head.update_count),
        "reading": _parts().reading(head),
    }


def _title(head: Head) -> dict[str, Any]:
    return {
        "headline": escape(head.headline),
        "summary": escape(head.summary or ""),
        "byline": _parts().byline(head),
        "promise": _parts().status_line(head),
        "note": escape(head.note.note if head.note else ""),
    }


def _lists(head: Head, since: int, taken: Sequence[Taken], beside: Beside) -> dict[str, Any]:
    every = {each.update_id: each for each in (*beside.marked, *beside.updates)}.values()
    parts: dict[str, Any] = {}
    if head.keyed > since:
        parts["key-events"] = _parts().key_event_items(key_events(head, every), head)
    if head.noted > since:
        parts["corrections"] = _parts().correction_items(corrections(every)[:LISTED], head)
    cites_otherwise = head.sourced > since and _may_cite_otherwise(beside, taken)
    if head.body.version > since or cites_otherwise:
        blocks = cited_blocks(beside.body, body_sources(beside.updates))
        parts["body"] = _parts().blocks(blocks)
    return parts


def _may_cite_otherwise(beside: Beside, taken: Sequence[Taken]) -> bool:
    """Whether what the body cites may have become another update's since.

    A new update only matters where its numbers are the first of their kind.
    """
    wanted = body_numbers(beside.body)
    if not wanted or any(each.kind != "added" for each in taken):
        return bool(wanted)
    new = {each.update.update_id for each in taken}
    before = body_sources(each for each in beside.updates if each.update_id not in new)
    return any(wanted & own_sources(each.update).keys() - before.keys() for each in taken)
