"""Atom (RFC 4287), with a tombstone (RFC 6721) for each update that was retracted.

Its item stays as well, as old as the tombstone: who knows tombstones takes the update out, and
who doesn't has the note in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.article.dates import rfc3339
from shared.article.formats.feeds import Feed, Item, named
from shared.article.formats.xml import element, root

_SPACES = {
    "xmlns": "http://www.w3.org/2005/Atom",
    "xmlns:at": "http://purl.org/atompub/tombstones/1.0",
}
_HTML = "text/html"


def document(feed: Feed) -> str:
    """Return *feed* as an Atom document."""
    spaces = _SPACES | ({"xml:lang": feed.language} if feed.language else {})
    tombstones = (_tombstone(item) for item in feed.items if item.retraction)
    return root("feed", spaces, *_facts(feed), *map(_entry, feed.items), *tombstones)


def _facts(feed: Feed) -> Iterator[str]:
    yield element("id", feed.id)
    yield element("title", feed.title)
    if feed.subtitle:
        yield element("subtitle", feed.subtitle)
    yield element("updated", rfc3339(feed.updated))
    yield from _authors(named((), feed))
    yield element("link", rel="self", type="application/atom+xml", href=feed.address("atom"))
    yield element("link", rel="alternate", type=_HTML, href=feed.url)
    if following := feed.next_address("atom"):
        yield element("link", rel="next", type="application/atom+xml", href=following)
    yield from _categories(feed.tags)


def _entry(item: Item) -> str:
    summary = [element("summary", item.summary)] if item.summary else []
    content = [element("content", str(item.html), type="html")] if item.html is not None else []
    return element(
        "entry",
        element("id", item.id),
        element("title", item.title),
        element("published", rfc3339(item.published)),
        element("updated", rfc3339(item.updated)),
        *_authors(item.authors),
        element("link", rel="alternate", type=_HTML, href=item.url),
        *_categories(item.tags),
        *summary,
        *content,
    )


def _tombstone(item: Item) -> str:
    note = item.retraction
    comment = [element("at:comment", note.note)] if note else []
    return element("at:deleted-entry", *comment, ref=item.id, when=rfc3339(item.updated))


def _authors(names: Iterable[str]) -> list[str]:
    return [element("author", element("name", name)) for name in names]


def _categories(tags: Iterable[str]) -> list[str]:
    return [element("category", term=tag) for tag in tags]
