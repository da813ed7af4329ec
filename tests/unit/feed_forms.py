"""What RFC 4287, RFC 6721, RSS 2.0 and JSON Feed 1.1 ask of a feed: each fault as a line.

Written after the specifications; feedparser, which reads almost anything, is no judge of form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

_ATOM, _TOMBS = "{http://www.w3.org/2005/Atom}", "{http://purl.org/atompub/tombstones/1.0}"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MEDIA_TYPE = re.compile(r".+/.+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")

#: RFC 4287, 4.1: element → how often at least, and at most (none: any number).
_FEED: dict[str, tuple[int, int | None]] = {
    "id": (1, 1), "title": (1, 1), "updated": (1, 1), "subtitle": (0, 1), "generator": (0, 1),
    "icon": (0, 1), "logo": (0, 1), "rights": (0, 1), "author": (0, None), "link": (0, None),
    "category": (0, None), "contributor": (0, None), "entry": (0, None),
}  # fmt: skip
_ENTRY: dict[str, tuple[int, int | None]] = {
    "id": (1, 1), "title": (1, 1), "updated": (1, 1), "published": (0, 1), "summary": (0, 1),
    "content": (0, 1), "rights": (0, 1), "source": (0, 1), "author": (0, None), "link": (0, None),
    "category": (0, None), "contributor": (0, None),
}  # fmt: skip


def faults_of_atom(document: str) -> list[str]:
    """Return what is wrong with an Atom feed, tombstones too."""
    feed = ElementTree.fromstring(document)
    if feed.tag != f"{_ATOM}feed":
        return [f"the root is {feed.tag}"]
    entries = feed.findall(f"{_ATOM}entry")
    found = [*_counted("feed", feed, _FEED), *_constructs("feed", feed)]
    if feed.find(f"{_ATOM}author") is None and any(
        e.find(f"{_ATOM}author") is None for e in entries
    ):
        found.append("neither the feed nor each entry has an author")
    if not any(link.get("rel") == "self" for link in feed.findall(f"{_ATOM}link")):
        found.append("the feed has no link to itself")
    for entry in entries:
        found += [*_counted("entry", entry, _ENTRY), *_constructs("entry", entry), *_body(entry)]
    ids = Counter((_text(e, "id"), _text(e, "updated")) for e in entries)
    found += (f"entry {which} is there {many} times" for which, many in ids.items() if many > 1)
    for tomb in feed.findall(f"{_TOMBS}deleted-entry"):
        found += _iri("at:deleted-entry ref", tomb.get("ref", ""))
        found += _date("at:deleted-entry when", tomb.get("when", ""))
    return found


def faults_of_rss(document: str) -> list[str]:
    """Return what is wrong with an RSS 2.0 feed."""
    rss = ElementTree.fromstring(document)
    channels = rss.findall("channel")
    if (rss.tag, rss.get("version"), len(channels)) != ("rss", "2.0", 1):
        return ["it is no rss 2.0 with one channel"]
    (channel,) = channels
    found = [
        f"the channel has no {n}"
        for n in ("title", "link", "description")
        if not channel.findtext(n)
    ]
    found += _iri("the channel's link", channel.findtext("link") or "")
    found += _mail_date("lastBuildDate", channel.findtext("lastBuildDate"))
    ids = Counter(item.findtext("guid") for item in channel.findall("item"))
    found += (f"guid {which} is there {many} times" for which, many in ids.items() if many > 1)
    for item in channel.findall("item"):
        if not (item.findtext("title") or item.findtext("description")):
            found.append("an item has neither title nor description")
        guid = item.find("guid")
        if guid is None or not guid.text:
            found.append("an item has no guid")
        elif guid.get("isPermaLink", "true") == "true":
            found += _iri("a guid that is a permalink", guid.text)
        found += _iri("an item's link", item.findtext("link") or "")
        found += _mail_date("pubDate", item.findtext("pubDate"))
        found += (f"an item has {n} twice" for n in ("title", "guid", "pubDate", "author")
                  if len(item.findall(n)) > 1)  # fmt: skip
        found += ("an author is no address of mail" for each in item.findall("author")
                  if "@" not in (each.text or ""))  # fmt: skip
    return found


#: JSON Feed 1.1: name → kind; required ones have a "!" behind them.
_JSON_FEED = {
    "version": "url!", "title": "text!", "home_page_url": "url", "feed_url": "url",
    "description": "text", "user_comment": "text", "next_url": "url", "icon": "url",
    "favicon": "url", "authors": "authors", "language": "language", "expired": "flag",
    "items": "items!",
}  # fmt: skip
_ITEM = {
    "id": "text!", "url": "url", "external_url": "url", "title": "text", "content_html": "text",
    "content_text": "text", "summary": "text", "image": "url", "banner_image": "url",
    "date_published": "date", "date_modified": "date", "authors": "authors", "tags": "texts",
    "language": "language", "attachments": "attachments",
}  # fmt: skip
_AUTHOR = {"name": "text", "url": "url", "avatar": "url"}


def faults_of_json_feed(document: Any) -> list[str]:
    """Return what is wrong with a JSON Feed."""
    found = list(_object("feed", document, _JSON_FEED))
    if document.get("version") != "https://jsonfeed.org/version/1.1":
        found.append("the version is not 1.1")
    items = document.get("items", [])
    for item in items:
        found += _object("item", item, _ITEM)
        if not item.keys() & {"content_html", "content_text"}:
            found.append("an item has no content")
    ids = Counter(item.get("id") for item in items)
    found += (f"id {which} is there {many} times" for which, many in ids.items() if many > 1)
    if document.get("next_url") == document.get("feed_url") and "next_url" in document:
        found.append("the next page is the feed itself")
    return found


def _object(what: str, value: Any, form: dict[str, str]) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{what} is no object"
        return
    yield from (
        f"{what} has no {n}" for n, kind in form.items() if kind[-1] == "!" and n not in value
    )
    for name, part in value.items():
        if name.startswith("_"):
            if not isinstance(part, dict):
                yield f"the extension {name} is no object"
        elif name not in form:
            yield f"{what} has {name}, which is no name of JSON Feed"
        else:
            yield from _kind(f"{what}'s {name}", form[name].removesuffix("!"), part)


def _kind(what: str, kind: str, value: Any) -> Iterator[str]:
    if kind == "authors":
        for each in value:
            yield from _object("author", each, _AUTHOR)
            yield from () if each else (f"{what} has one who is nobody",)
    elif kind == "texts":
        for each in value:
            yield from _kind(what, "text", each)
    elif kind in _TYPES:
        if not isinstance(value, _TYPES[kind]):
            yield f"{what} is no {kind}"
    elif not isinstance(value, str) or not value:
        yield f"{what} is no text"
    else:
        yield from _WORDS[kind](what, value)


def _counted(
    what: str, element: ElementTree.Element, allowed: dict[str, tuple[int, int | None]]
) -> Iterator[str]:
    many = Counter(e.tag.removeprefix(_ATOM) for e in element if e.tag.startswith(_ATOM))
    yield from (f"{what} has {name}, which is not for it" for name in many.keys() - allowed.keys())
    for name, (least, most) in allowed.items():
        if many[name] < least or (most is not None and many[name] > most):
            yield f"{what} has {name} {many[name]} times"


def _constructs(what: str, element: ElementTree.Element) -> Iterator[str]:
    """Judge dates, people, links, categories and the id of a feed or an entry."""
    yield from _iri(f"{what} id", _text(element, "id"))
    for name in ("updated", "published"):
        for each in element.findall(f"{_ATOM}{name}"):
            yield from _date(f"{what} {name}", each.text or "")
    yield from _people_and_links(what, element)


def _people_and_links(what: str, element: ElementTree.Element) -> Iterator[str]:
    for author in element.findall(f"{_ATOM}author"):
        if len(author.findall(f"{_ATOM}name")) != 1 or not _text(author, "name"):
            yield f"an author of the {what} has no name"
    for category in element.findall(f"{_ATOM}category"):
        if not category.get("term"):
            yield f"a category of the {what} has no term"
    seen: set[tuple[str, str]] = set()
    for link in element.findall(f"{_ATOM}link"):
        yield from _iri(f"{what} link", link.get("href", ""))
        if link.get("type") and not _MEDIA_TYPE.fullmatch(link.get("type", "")):
            yield f"a link of the {what} has no media type for a type"
        place = (link.get("type", ""), link.get("hreflang", ""))
        if link.get("rel", "alternate") == "alternate":
            if place in seen:
                yield f"{what} has two alternates alike"
            seen.add(place)


def _body(entry: ElementTree.Element) -> Iterator[str]:
    content = entry.find(f"{_ATOM}content")
    rels = [link.get("rel", "alternate") for link in entry.findall(f"{_ATOM}link")]
    if content is None and "alternate" not in rels:
        yield "an entry has neither content nor an alternate"
    if content is not None and content.get("type", "text") in ("text", "html") and len(content):
        yield "content of type html has elements in it"
    if _text(entry, "updated") < _text(entry, "published"):
        yield "an entry was updated before it was published"


def _text(element: ElementTree.Element, name: str) -> str:
    return element.findtext(f"{_ATOM}{name}") or ""


def _iri(what: str, value: str) -> Iterator[str]:
    parts = urlsplit(value)
    if not parts.scheme or re.search(r"[\s<>\"{}|\\^`]", value):
        yield f"{what} is no absolute address: {value[:60]}"


def _date(what: str, value: str) -> Iterator[str]:
    if not _RFC3339.fullmatch(value):
        yield f"{what} is no RFC 3339 time: {value[:40]}"


def _mail_date(what: str, value: str | None) -> Iterator[str]:
    try:
        if value is not None and parsedate_to_datetime(value).tzinfo is None:
            yield f"{what} has no zone"
    except ValueError:
        yield f"{what} is no RFC 822 time"


def _language(what: str, value: str) -> Iterator[str]:
    if not _LANGUAGE.fullmatch(value):
        yield f"{what} is no language"


_TYPES = {"items": list, "attachments": list, "flag": bool}
_WORDS: dict[str, Callable[[str, str], Iterator[str]]] = {
    "text": lambda _what, _value: iter(()),
    "url": _iri,
    "date": _date,
    "language": _language,
}
