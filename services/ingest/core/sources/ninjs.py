"""ninjs, IPTC's news in JSON, of all three branches, and Superdesk's content API, a dialect of it.

One item, an array of them, or an object with `items` or `_items`; of an item with updates in
`associations`, as our own are, the updates. What is `canceled` or `withheld` is taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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

Item = Mapping[str, Any]

_GONE = ("canceled", "cancelled", "withheld", "killed", "recalled")


def read(document: Document) -> list[Entry]:
    """Return the entries of a ninjs document, each once. Raises Unreadable."""
    value = json_of(document)
    items = _items(value)
    if items is None:
        raise Unreadable('it is no ninjs: there is neither a "uri" nor a list of items')
    return once(_entries(items, document, "uri", "guid", "_id"))


def superdesk(document: Document) -> list[Entry]:
    """Return the entries of an answer of Superdesk's content API. Raises Unreadable."""
    value = json_of(document)
    items = items_of(value, "_items")
    if items is None:
        raise Unreadable('it has no list "_items", as answers of Superdesk\'s content API have')
    return once(_entries(items, document, "guid", "uri", "_id"))


def _items(value: Any) -> Sequence[Item] | None:
    if isinstance(value, list):
        return items_of({"": value}, "")
    for name in ("items", "_items"):
        if (found := items_of(value, name)) is not None:
            return found
    if not isinstance(value, dict) or not said(value, "uri", "guid"):
        return None
    parts = items_of(value, "associations") or ()
    updates = [each for each in parts if each.get("rel") == "update" and said(each, "uri")]
    return updates or [value]


def _entries(items: Sequence[Item], document: Document, *ids: str) -> Iterator[Entry]:
    for item in items[:MAX_ENTRIES]:
        if key := said(item, *ids):
            yield _entry(key, item, document)


def _entry(key: str, item: Item, document: Document) -> Entry:
    html, plain = _body(item)
    body = html or plain
    title = said(item, "headline") or _value(item, "headlines") or said(item, "name", "title")
    headline = prose.headline(title)
    text = prose.markdown(html, base_of(document)) if html else prose.escaped(plain)
    urgency = item.get("urgency")
    return Entry(
        key,
        text or prose.escaped(headline),
        digest(body or title),
        headline if text else "",
        moment(said(item, "firstCreated", "firstcreated", "versionCreated", "versioncreated")),
        moment(said(item, "versionCreated", "versioncreated")),
        _authors(item),
        urgency=urgency if isinstance(urgency, int) and 1 <= urgency <= 9 else None,
        embargo=moment(said(item, "embargoedUntil", "embargoed")),
        gone=said(item, "pubStatus", "pubstatus").rpartition(":")[2].lower() in _GONE,
    )


def _body(item: Item) -> tuple[str, str]:
    """Return the copy as HTML and as plain text, the first there is of each."""
    html = said(item, "body_html", "body_xhtml", "description_html")
    plain = said(item, "body_text", "description_text")
    for each in (*(items_of(item, "bodies") or ()), *(items_of(item, "descriptions") or ())):
        kind = said(each, "contentType", "contenttype").lower()
        if kind in ("", "text/plain"):
            plain = plain or said(each, "value")
        elif "html" in kind:
            html = html or said(each, "value")
    return html, plain


def _value(item: Item, name: str) -> str:
    return next((said(each, "value") for each in items_of(item, name) or ()), "")


def _authors(item: Item) -> tuple[str, ...]:
    if byline := said(item, "by", "byline"):
        return people(iter([prose.headline(byline)]))
    return people(said(each, "name") for each in items_of(item, "authors") or ())
