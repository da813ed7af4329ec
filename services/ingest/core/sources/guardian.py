"""Live blogs as the Guardian's content API gives them: `blocks.body`, each block an update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from services.ingest.core.sources import prose
from services.ingest.core.sources.documents import (
    Document,
    Unreadable,
    base_of,
    items_of,
    json_of,
    moment,
    people,
    said,
)
from services.ingest.core.sources.entries import MAX_ENTRIES, Entry, digest, once

#: Where the blog is in the answer: the API wraps it, a page's own JSON doesn't.
_PLACES = (("response", "content"), ("content",), ())


def read(document: Document) -> list[Entry]:
    """Return the blocks that are published, each once. Raises Unreadable."""
    value = json_of(document)
    for place in _PLACES:
        blocks = items_of(value, *place, "blocks", "body")
        if blocks is not None:
            return once(_entries(blocks, document))
    raise Unreadable('it has no list "blocks.body"; ask the API with show-blocks=body')


def _entries(blocks: Any, document: Document) -> Iterator[Entry]:
    for block in blocks[:MAX_ENTRIES]:
        key, known = said(block, "id"), block.get("published", True)
        if key and known is not False:
            yield _entry(key, block, document)


def _entry(key: str, block: Mapping[str, Any], document: Document) -> Entry:
    attributes = block.get("attributes")
    facts = attributes if isinstance(attributes, dict) else {}
    html, plain = said(block, "bodyHtml"), said(block, "bodyTextSummary")
    title = said(block, "title") or said(facts, "title")
    headline = prose.headline(title)
    text = prose.markdown(html, base_of(document)) if html else prose.escaped(plain)
    return Entry(
        key,
        text or prose.escaped(headline),
        digest(html or plain or title),
        headline if text else "",
        _time(block, "firstPublishedDate", "publishedDate", "createdDate"),
        _time(block, "lastModifiedDate"),
        people(said(each, "name", "webTitle") for each in items_of(block, "contributors") or ()),
        key_event=True if facts.get("keyEvent") is True else None,
    )


def _time(block: Mapping[str, Any], *names: str) -> datetime | None:
    """Return the first of the times *names*: as text, in milliseconds, or an object of both."""
    for name in names:
        value = block.get(name)
        if isinstance(value, dict):
            value = value.get("iso8601") or value.get("dateTime")
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 4e12:
            return datetime.fromtimestamp(value / 1000, UTC)
        if found := moment(value):
            return found
    return None
