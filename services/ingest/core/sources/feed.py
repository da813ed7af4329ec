"""Feeds: RSS and Atom as feedparser reads them, JSON Feed 1.1 by ourselves."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

import feedparser

from services.ingest.core.sources import prose
from services.ingest.core.sources.documents import (
    MAX_MARKS,
    Document,
    Unreadable,
    base_of,
    is_address,
    items_of,
    json_of,
    moment,
    people,
    said,
)
from services.ingest.core.sources.entries import MAX_ENTRIES, Entry, digest, once

_HTML = "text/html"


def read(document: Document) -> list[Entry]:
    """Return the entries of a feed, each once, as it has them. Raises Unreadable."""
    if document.utf8[:200].lstrip()[:1] == b"{":
        return once(_json_feed(document))
    return once(_xml_feed(document))


def entry_of(
    key: str,
    title: str,
    body: str,
    *,
    html: bool,
    link: str,
    base: str,
    time: datetime | None,
    edited: datetime | None,
    authors: tuple[str, ...],
) -> Entry:
    """Return an entry. Without a body its title is its text, and leads to *link*."""
    headline, mark = prose.headline(title), digest(body)
    text = (prose.markdown(body, base) if html else prose.escaped(body)) if body.strip() else ""
    if not text:
        text, mark, headline = _linked(headline, link), digest(title, link), ""
    elif _says_it_all(headline, text):
        headline = ""
    return Entry(key, text, mark, headline, time, edited, authors)


def _says_it_all(headline: str, text: str) -> bool:
    """Whether a headline is the text itself, as where there are none."""
    return _letters(prose.escaped(headline)) == _letters(text)


def _linked(headline: str, link: str) -> str:
    shown = prose.escaped(headline)
    return f"[{shown}](<{link}>)" if shown and _fits(link) else shown


def _fits(link: str) -> bool:
    return is_address(link) and not set("<>\\") & set(link) and len(link) <= 2_048


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _json_feed(document: Document) -> Iterator[Entry]:
    value = json_of(document)
    items = items_of(value, "items")
    if items is None:
        raise Unreadable('it is JSON without a list "items", so no JSON Feed; is kind right?')
    for item in items[:MAX_ENTRIES]:
        link, html = said(item, "url", "external_url"), said(item, "content_html")
        title, plain = said(item, "title"), said(item, "content_text", "summary")
        authors = item.get("authors") or [item.get("author")]
        named = authors if isinstance(authors, list) else []
        yield entry_of(
            said(item, "id") or link or digest(title, html or plain),
            title,
            html or plain,
            html=bool(html),
            link=link,
            base=base_of(document, link),
            time=moment(item.get("date_published")),
            edited=moment(item.get("date_modified")),
            authors=people(said(each, "name") for each in named if isinstance(each, dict)),
        )


def _xml_feed(document: Document) -> Iterator[Entry]:
    body = document.utf8
    if body.count(b"<") > MAX_MARKS:
        raise Unreadable(f"it has more than {MAX_MARKS:,} tags; name a feed that is shorter")
    if body is not document.body:  # what it says of its coding is not so any more
        body = _undeclared(body)
    # prose.py cleans, and resolves. An address to begin with would go into ids, too.
    found: Any = feedparser.parse(
        io.BytesIO(body), sanitize_html=False, resolve_relative_uris=False
    )
    if not found.entries and not found.get("version"):
        raise Unreadable("it is no feed: neither RSS nor Atom nor JSON Feed")
    for entry in islice(found.entries, MAX_ENTRIES):
        yield _of_xml(entry, document)


def _of_xml(entry: Mapping[str, Any], document: Document) -> Entry:
    # Not by [] or `in`: to feedparser what was published is updated as well, with a warning.
    facts = dict(entry)
    link, title = _link(facts), said(facts, "title")
    content = _content(facts)
    body, html = said(content, "value"), content.get("type", _HTML) != "text/plain"
    named = facts.get("authors") or [{"name": facts.get("author")}]
    return entry_of(
        said(facts, "id") or link or digest(title, body),
        title,
        body,
        html=html,
        link=base_of(document, link) if link else "",
        base=base_of(document, content.get("base"), link),
        time=moment(facts.get("published")) or moment(facts.get("updated")),
        edited=moment(facts.get("updated")),
        authors=people(said(each, "name") for each in named if isinstance(each, dict)),
    )


def _link(facts: Mapping[str, Any]) -> str:
    """Return the link; to feedparser an RSS entry's id is one as well, whatever it is."""
    link = said(facts, "link")
    return link if is_address(link) or link != said(facts, "id") else ""


def _content(facts: Mapping[str, Any]) -> dict[str, Any]:
    for each in facts.get("content") or ():
        if said(each, "value"):
            return dict(each)
    return dict(facts.get("summary_detail") or {"value": facts.get("summary")})


def _undeclared(body: bytes) -> bytes:
    start, _, rest = body.partition(b"?>")
    return rest if start.lstrip().startswith(b"<?xml") else body
