"""Events and requests to look at: one event of each type, one request for each problem.

The tests send them all, so what the manual shows is what happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from services.ingest.core.bodies import ONE

Envelope = dict[str, Any]

SLUG = "harbour-bridge"
SOURCE = "/newsroom/cms"


def _event(kind: str, id_: str, slug: str = SLUG, **data: Any) -> Envelope:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": SOURCE,
        "type": f"writethru.{kind}",
        "subject": slug,
        "time": "2026-03-01T09:10:00Z",
        "data": data,
    }


#: Two articles from their opening to their end: filed in this order, each event is accepted.
EVENTS: tuple[Envelope, ...] = (
    _event(
        "article.published",
        "lead",
        headline="Harbour bridge closes",
        body="The bridge is closed to *all* traffic.",
        timezone="Europe/London",
        locale="en-GB",
    ),
    _event(
        "update.posted",
        "update-1",
        text="Two spans have opened again [8].",
        sources=[{"n": 8, "url": "https://harbour.example/notice", "title": "Notice"}],
    ),
    _event("update.posted", "update-2", text="The ferry runs all night."),
    _event("update.revised", "edit-1", update_id="update-1", key_event=True),
    _event(
        "update.corrected",
        "correction-1",
        update_id="update-1",
        text="One span has opened again [8].",
        note="An earlier version gave the wrong number of spans.",
    ),
    _event("update.pinned", "pin-1", update_id="update-1"),
    _event("update.unpinned", "unpin-1", update_id="update-1"),
    _event(
        "update.retracted",
        "retraction-1",
        update_id="update-2",
        note="The ferry does not run at night.",
    ),
    _event(
        "article.writethru",
        "lead-2",
        headline="Harbour bridge reopens",
        body="The bridge is open.",
        note="Leads with the reopening.",
    ),
    _event("update.redacted", "redaction-1", update_id="update-2", note="A court has ordered it."),
    _event("article.closed", "close-1", note="Coverage has ended."),
    _event("article.reopened", "reopen-1"),
    _event("article.published", "pier", "old-pier", headline="Old pier burns", body="It burns."),
    _event("article.killed", "kill-1", "old-pier", note="Withdrawn on legal advice."),
)

#: Held until its time, and then like any other.
EMBARGO = _event(
    "update.posted",
    "update-4",
    text="The minister opens the bridge at noon.",
    embargo_until="2099-03-01T12:00:00Z",
)


class Example(NamedTuple):
    """What gets a problem: *when* it comes, and the *body* of the request."""

    when: str
    body: str
    media_type: str = ONE
    authorization: str | None = "Bearer wt_…"


def _one(when: str, event: Mapping[str, Any], **more: Any) -> Example:
    return Example(when, orjson.dumps(event, option=orjson.OPT_INDENT_2).decode(), **more)


_POST = _event("update.posted", "update-3", text="A third span has opened.")
_OPEN = "The article is open; update-1 was posted, update-2 was posted and retracted."

PROBLEMS: Mapping[str, Example] = {
    "malformed": Example("A bracket is missing.", '{"specversion": "1.0", "id": "update-3"'),
    "unauthenticated": _one("The request has no key.", _POST, authorization=None),
    "forbidden": _one(
        "The key has the scope publish only.", _event("article.killed", "kill-2", note="Withdrawn.")
    ),
    "unknown-article": _one(
        "No article of that name was ever opened.",
        _event("update.posted", "update-3", "harbor-bridge", text="A third span has opened."),
    ),
    "unknown-update": _one(_OPEN, _event("update.pinned", "pin-2", update_id="update-9")),
    "article-exists": _one(
        _OPEN, _event("article.published", "lead-3", headline="Bridge closes", body="It is closed.")
    ),
    "update-exists": _one(
        _OPEN, _event("update.posted", "update-3", update_id="update-1", text="A third span.")
    ),
    "article-closed": _one(
        "The article is closed.", _event("update.posted", "update-3", "night-ferry", text="Late.")
    ),
    "update-retracted": _one(
        _OPEN,
        _event(
            "update.corrected", "correction-2", update_id="update-2", text="It runs.", note="Runs."
        ),
    ),
    "id-conflict": _one(
        "The article has an update-1 from this source that says something else.",
        _event("update.posted", "update-1", text="Three spans have opened again."),
    ),
    "stale": _one(
        "The article's last seq is 4: somebody has filed since it was 3.",
        {**_POST, "baseversion": 3},
    ),
    "article-killed": _one(
        "The article was killed.", _event("update.posted", "update-3", "old-pier", text="It burns.")
    ),
    "too-large": Example(
        "The batch has 501 events.",
        '[{"specversion": "1.0", …}, {"specversion": "1.0", …}, …]',
        "application/cloudevents-batch+json",
    ),
    "unsupported": _one(
        "The media type doesn't say that this is an event.", _POST, media_type="application/json"
    ),
    "invalid": _one(
        "The field is called text.", _event("update.posted", "update-3", txt="A third span.")
    ),
    "busy": _one("The engine is full, or ten wrong keys came from here within a minute.", _POST),
    "durability-timeout": _one("The engine has gone silent.", _POST),
}
