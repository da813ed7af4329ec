"""Whatever a source says: an adapter ends, and what it yields the contract takes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.ingest.core.sources.adapters import READERS
from services.ingest.core.sources.documents import Document, Unreadable
from services.ingest.core.sources.entries import Reader, Seen
from services.ingest.core.sources.prose import escaped, markdown
from shared.article.markdown import copy
from shared.article.normal import nfc
from shared.contract.copy_rules import is_text
from shared.contract.events import check_extent, parse_event
from shared.contract.sources import Kind, Source

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
URL = "https://wire.example/feed"
LONGEST = "n" * 32

PIECES = st.sampled_from(
    [
        "<item>", "</item>", "<entry>", "</entry>", "<guid>a</guid>", "<id>b</id>", "<title>",
        "</title>", "<description>", "</description>", "<![CDATA[", "]]>", "<p>", "<b>", "</p>",
        "<a href='", "'>", "<link>", "</link>", "<link href='/x'/>", "<updated>", "<pubDate>",
        "</pubDate>", "2026-11-24T09:00:00Z", "&amp;", "&lt;script&gt;", "&#0;", "&#x202e;", "&",
        "<content type='xhtml' xml:base='http://[x'>", "</content>", "<author><name>A</name>",
        "<!--", "-->", "<!DOCTYPE x [<!ENTITY y 'z'>]>", "\x0b", "\u2028", "[x](y)", "# ", "```",
    ]
)  # fmt: skip
FEEDS = st.lists(PIECES | st.text(max_size=5), max_size=40).map(
    lambda parts: "<rss version='2.0'><channel>" + "".join(parts)
)
_SAID = (
    "id uri guid headline headlines body_html bodies value contentType by authors name pubStatus "
    "embargoed urgency items _items blocks body bodyHtml firstPublishedDate attributes keyEvent "
    "title associations rel content_html url date_published"
)
NAMES = _SAID.split()
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**53) | st.text(max_size=8)
    | st.sampled_from(["2026-11-24T09:00:00Z", "canceled", "text/html", "<p>x</p>"])
    | st.sampled_from(["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(NAMES),
        inner,
        max_size=8,
    ),
    max_leaves=30,
)  # fmt: skip


def check(kind: Kind, body: bytes) -> None:
    """Read *body*; see that each event is one, now and when the entry comes back edited."""
    reader = Reader("harbour-bridge", Source(name=LONGEST, kind=kind, url=URL), NOW)
    try:
        entries = READERS[kind](Document(body, URL))
    except Unreadable:
        return
    for step in reader.steps(entries, {}):
        before = Seen("filed", ("0" * 20,), "0" * 20)
        edited = [each for again in reader.steps([step.entry], {step.name: before})
                  for each in again.events]  # fmt: skip
        others = [*reader.again(step, "id-conflict"), *reader.again(step, "unknown-update")]
        for event in (*step.events, *edited, *others):
            check_extent(parse_event(event))


@given(FEEDS)
@settings(max_examples=150)
@example("<rss version='2.0'><channel><item><title>\x85</title><guid>\ud800</guid></item>")
def test_no_feed_breaks_its_adapter_or_yields_what_the_contract_refuses(feed: str):
    check("feed", feed.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_no_bytes_do_either(body: bytes):
    for kind in READERS:
        check(kind, body)


@given(VALUES)
@settings(max_examples=200)
def test_nor_does_any_json(value: Any):
    for kind in READERS:
        check(kind, orjson.dumps(value))


WORDS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"]), max_size=40
)


@given(WORDS)
@settings(max_examples=200)
@example("1. *x* _y_ [a](b) <b> &amp; # > - + ~~z~~ `c` \\ | ![")
def test_plain_words_read_as_they_were(words: str):
    assert squeezed(copy(escaped(words)).text) == squeezed(nfc(words))


@given(st.text(max_size=60))
@settings(max_examples=60)
def test_whatever_html_says_is_text_that_an_event_holds(html: str):
    assert is_text(markdown(html, URL))


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
