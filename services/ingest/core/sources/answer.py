"""An updater's answer → the events that it would have filed: pure, and strict where it is ours.

What it leaves out of an envelope is filled in; what it puts in must be about this article.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.ingest.core.sources.documents import Unreadable
from services.ingest.core.sources.entries import Envelope, digest
from shared.contract.access import Rights
from shared.contract.acts import Posted, Published, Writethru
from shared.contract.errors import InvalidEvent
from shared.contract.events import MAX_EVENT_BYTES, check_extent, parse_event
from shared.contract.sources import Source

MAX_EVENTS = 100
MAX_CURSOR = 16 * 1024

_POSTED = Posted.wire
_COPY = (Published.wire, Writethru.wire)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to file, and what to send along the next time."""

    events: Sequence[Envelope]
    cursor: Any


def read(body: bytes, slug: str, source: Source, tick: str, cursor: Any) -> Answer:
    """Return what *body* says; an empty one is nothing new, and leaves *cursor* as it was.

    Raises:
        Unreadable: something is wrong with it; names the field.
    """
    if not body.strip():
        return Answer((), cursor)
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"its answer is no JSON (line {error.lineno})") from None
    if not isinstance(said, dict):
        raise Unreadable('its answer must be an object with "events", or 204 without a body')
    for name in said:
        if name not in ("events", "cursor"):
            raise Unreadable(f"its answer has /{name[:40]}, which is none of events and cursor")
    cursor = said.get("cursor", cursor)
    if len(orjson.dumps(cursor)) > MAX_CURSOR:
        raise Unreadable(f"/cursor of its answer is larger than {MAX_CURSOR // 1024} KiB")
    given = said.get("events", [])
    if not isinstance(given, list) or len(given) > MAX_EVENTS:
        raise Unreadable(f"/events of its answer must be a list of {MAX_EVENTS} at most")
    events = [_whole(each, n, slug, source, tick) for n, each in enumerate(given)]
    return Answer(events, cursor)


def _whole(given: Any, n: int, slug: str, source: Source, tick: str) -> Envelope:
    """Return event *n* of the answer as an envelope."""
    if not isinstance(given, dict):
        raise Unreadable(f"/events/{n} of its answer must be an object")
    if given.get("subject", slug) != slug:
        raise Unreadable(f"/events/{n}/subject must be {slug}, or be left out")
    if given.get("source", source.uri) != source.uri:
        raise Unreadable(f"/events/{n}/source must be {source.uri}, or be left out")
    made = f"{source.name}-{digest(tick, n)}"
    event: Envelope = {"specversion": "1.0", "id": made, **given}
    event |= {"source": source.uri, "subject": slug}
    data = event.get("data")
    if isinstance(data, dict):
        if event.get("type") in _COPY and "pull" in data:
            raise Unreadable(f"/events/{n}/data/pull is not a source's to say; leave it out")
        event["data"] = _signed(event.get("type"), data, source)
    if len(orjson.dumps(event)) > MAX_EVENT_BYTES:
        raise Unreadable(f"/events/{n} is larger than {MAX_EVENT_BYTES // 1024} KiB")
    _check(event, n)
    return event


def _check(event: Envelope, n: int) -> None:
    """See that *event* has the form of one, and is of those that a source may file."""
    try:
        parsed = parse_event(event)
        check_extent(parsed)
    except InvalidEvent as error:
        first = error.errors[0]
        raise Unreadable(f"/events/{n}{first.pointer} {first.detail}") from None
    rights = Rights("a source", ("publish", "correct"))
    if said := rights.refusal_to_file(parsed.type, parsed.subject, parsed.source):
        raise Unreadable(f"/events/{n}/type: {said}")


def _signed(kind: Any, data: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Return *data* with who wrote it, where that can be said and wasn't."""
    return {"provenance": source.origin, **data} if kind == _POSTED else dict(data)
