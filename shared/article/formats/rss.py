"""RSS 2.0, for readers that have nothing better: it has no word for what was changed or taken back.

So an item says it in its text, and in Atom's ``updated``, which many readers know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.utils import format_datetime

from shared.article.dates import rfc3339
from shared.article.formats.feeds import Feed, Item
from shared.article.formats.xml import element, root

_SPACES = {
    "version": "2.0",
    "xmlns:atom": "http://www.w3.org/2005/Atom",
    "xmlns:dc": "http://purl.org/dc/elements/1.1/",
}


def document(feed: Feed) -> str:
    """Return *feed* as an RSS document."""
    return root("rss", _SPACES, element("channel", *_facts(feed), *map(_item, feed.items)))


def _facts(feed: Feed) -> Iterator[str]:
    yield element("title", feed.title)
    yield element("link", feed.url)
    yield element("description", feed.subtitle or feed.title)
    if feed.language:
        yield element("language", feed.language)
    yield element("lastBuildDate", format_datetime(feed.updated, usegmt=True))
    yield _link("self", feed.address("rss"))
    if following := feed.next_address("rss"):
        yield _link("next", following)
    yield from _categories(feed.tags)


def _link(rel: str, href: str) -> str:
    return element("atom:link", rel=rel, type="application/rss+xml", href=href)


def _item(item: Item) -> str:
    return element(
        "item",
        element("title", item.title),
        element("link", item.url),
        element("guid", item.id, isPermaLink="false"),
        element("pubDate", format_datetime(item.published, usegmt=True)),
        element("atom:updated", rfc3339(item.updated)),
        *(element("dc:creator", name) for name in item.authors),
        *_categories(item.tags),
        element("description", str(item.html) if item.html is not None else item.summary or ""),
    )


def _categories(tags: Iterable[str]) -> list[str]:
    return [element("category", tag) for tag in tags]
