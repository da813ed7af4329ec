"""JSON Feed 1.1; what it has no name for stands under ``_writethru``, as in `.json`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.article.dates import rfc3339
from shared.article.formats import json
from shared.article.formats.feeds import Feed, Item, named

_VERSION = "https://jsonfeed.org/version/1.1"
#: What `_writethru` of an item takes from the update in `.json`.
_OURS = (
    "update_id", "version", "status", "notes", "key_event", "sources", "images", "provenance",
)  # fmt: skip


def document(feed: Feed) -> dict[str, Any]:
    """Return *feed* as a JSON Feed."""
    facts = {
        "version": _VERSION,
        "title": feed.title,
        "home_page_url": feed.url,
        "feed_url": feed.address("feed.json"),
        "next_url": feed.next_address("feed.json"),
        "description": feed.subtitle,
        "language": feed.language,
        "authors": _people(named((), feed)),
        "items": [_item(item) for item in feed.items],
        "_writethru": _article(feed),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _article(feed: Feed) -> dict[str, Any] | None:
    head = feed.head
    if head is None:
        return None
    return {
        "article": head.slug,
        "version": head.version,
        "chain": head.chain,
        "status": head.status,
        "updated_at": rfc3339(feed.updated),
    }


def _item(item: Item) -> dict[str, Any]:
    content = {"content_text": item.summary} if item.html is None else {"content_html": item.html}
    facts = {
        "id": item.id,
        "url": item.url,
        "title": item.title,
        **content,
        "summary": item.summary,
        "image": item.image,
        "date_published": rfc3339(item.published),
        "date_modified": rfc3339(item.updated),
        "authors": _people(item.authors),
        "tags": list(item.tags),
        "language": item.language,
        "_writethru": _update(item),
    }
    return {name: value for name, value in facts.items() if value not in (None, [])}


def _update(item: Item) -> dict[str, Any] | None:
    if item.update is None:
        return None
    said = json.update(item.update)
    return {name: said[name] for name in _OURS if name in said}


def _people(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]
