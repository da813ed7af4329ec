"""One text in every field of an article that takes text: it must change no element of the page."""

from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree

import orjson
from selectolax.lexbor import LexborHTMLParser

from shared.article.article import Article
from shared.article.formats import html, whole
from shared.contract.events import parse_event
from tests.builders import Envelope, article, corrected, posted, published, retracted

SITE = "https://news.example"
_LEADS_SAFELY = re.compile(r"https?://|/|#|$")
_BREAKS = re.compile("[\n\r\t\u2028\u2029]")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NO_ADDRESS = re.compile("[\\s<>\"'\\\\^`{|}]")
#: An element's tag and the names of its attributes.
Skeleton = list[tuple[str, tuple[str, ...]]]


def check_page(text: str) -> None:
    """See that the page and the feeds of an article that says *text* everywhere are in form."""
    shown = _saying(text)
    tree = LexborHTMLParser(_page(shown))
    assert _skeleton(tree) == _usual()
    for node in tree.css("[href], [src]"):
        address = node.attributes.get("href", node.attributes.get("src")) or ""
        assert _LEADS_SAFELY.match(address), address
    data = tree.css_first("script#data")
    assert data is not None
    assert orjson.loads(data.text())["headline"] == shown.head.headline
    for form in ("atom", "rss"):
        ElementTree.fromstring(whole.written(shown, form, SITE))
    for form in ("feed.json", "ninjs.json", "json"):
        orjson.loads(whole.written(shown, form, SITE))


def events(text: str, copy: str = "Copy [1].") -> list[Envelope]:
    """Return events of an article that says *text* wherever an event takes text or an address.

    Its copy, which is Markdown and may bring elements of its own, is *copy*.
    """
    free, copy = "w" + _NO_TEXT.sub("", text), _NO_TEXT.sub("", copy)
    line = _BREAKS.sub(" ", free)
    address = ("https://e.example/" + _NO_ADDRESS.sub("", line))[:2048]
    image = {"url": address, "alt": free, "credit": line}
    sources = [{"n": 1, "url": address, "title": line}, {"n": 2, "url": address}]
    common = {"authors": [line, line], "sources": sources, "images": [image], "headline": line}
    return [
        published(line, copy, section=line, tags=[line], authors=[line], summary=free,
                  image=image, canonical_url=address),
        posted("u1", copy, key_event=True, **common),
        posted("u2", copy, provenance="automated", **common),
        corrected("u1", copy, note=line),
        retracted("u2", note=line),
    ]  # fmt: skip


def _saying(text: str) -> Article:
    filed = events(text)
    for envelope in filed:
        parse_event(envelope)
    return article(*filed)


def _page(shown: Article) -> str:
    updates = tuple(shown.updates.values())
    return html.article_page(
        shown.head, shown.body, updates, [shown.head], marked=updates, public_url=SITE
    )


def _skeleton(tree: LexborHTMLParser) -> Skeleton:
    nodes = tree.root.traverse() if tree.root else ()
    return [(str(node.tag), tuple(sorted(node.attributes))) for node in nodes]


@cache
def _usual() -> Skeleton:
    return _skeleton(LexborHTMLParser(_page(_saying("word"))))
