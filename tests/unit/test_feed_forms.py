"""Our feeds against what their specifications ask for, and that the judge finds faults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.article.formats import whole
from shared.article.formats.feeds import of_latest
from tests.builders import article, closed, posted, published, retracted
from tests.golden.pages import article_of, ledgers
from tests.unit.feed_forms import faults_of_atom, faults_of_json_feed, faults_of_rss

SITE = "https://news.example"
ODD = "A <b> & 'c' \"d\" ]]> \u202e é 😀"


def faults(form: str, document: str) -> list[str]:
    if form == "feed.json":
        return faults_of_json_feed(orjson.loads(document))
    return faults_of_atom(document) if form == "atom" else faults_of_rss(document)


def odd() -> Any:
    """An article without authors whose fields say all that has to be escaped."""
    source = {"n": 1, "url": "https://e.example/?a=1&b=%3C", "title": ODD}
    image = {"url": "https://e.example/i.png", "alt": ODD, "credit": ODD}
    return article(
        published(ODD, ODD, summary=ODD, section=ODD, tags=[ODD], image=image, locale="ar"),
        posted("u1", ODD, headline=ODD, sources=[source], images=[image]),
        posted("u2", ODD, authors=[ODD, ODD], provenance="automated"),
        posted("~._-", "[1]"),
        retracted("u2", note=ODD),
        closed(),
    )


@pytest.mark.parametrize("form", whole.FEEDS)
@pytest.mark.parametrize("ledger", ledgers(), ids=lambda path: path.stem)
def test_the_feed_of_each_golden_ledger_is_in_form(form, ledger):
    shown = article_of(ledger)
    if shown.head.status != "killed":
        assert faults(form, whole.written(shown, form, SITE).decode()) == []


@pytest.mark.parametrize("form", whole.FEEDS)
def test_the_feed_of_an_article_with_odd_texts_is_in_form(form):
    assert faults(form, whole.written(odd(), form, SITE).decode()) == []


@pytest.mark.parametrize("form", whole.FEEDS)
def test_the_feed_of_an_article_without_updates_is_in_form(form):
    assert faults(form, whole.written(article(published()), form, SITE).decode()) == []


@pytest.mark.parametrize("form", whole.FEEDS)
@pytest.mark.parametrize("many", [0, 2])
def test_latest_news_as_a_feed_is_in_form(form, many):
    head = article(published(ODD, summary=ODD)).head
    heads = [replace(head, slug=f"story-{n}") for n in range(many)]
    assert faults(form, whole.FEEDS[form](of_latest(heads, 1, 2, SITE)).decode()) == []


ENTRY = "<entry><id>tag:a,2026:1</id><title>t</title><updated>2026-01-01T00:00:00Z</updated>"
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom" '
    'xmlns:at="http://purl.org/atompub/tombstones/1.0"><id>tag:a,2026:0</id><title>t</title>'
    "<updated>2026-01-01T00:00:00Z</updated><author><name>A</name></author>"
    '<link rel="self" href="https://a.example/"/>%s</feed>'
)


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        ("<id>tag:a,2026:0</id>", "feed has id 2 times"),
        ("<published>2026-01-01T00:00:00Z</published>", "published, which is not for it"),
        (f"{ENTRY}</entry>", "neither content nor an alternate"),
        (f"{ENTRY}<content>a</content></entry>" * 2, "is there 2 times"),
        (f"{ENTRY}<content type='html'><b>a</b></content></entry>", "has elements in it"),
        ("<updated>yesterday</updated>", "no RFC 3339 time"),
        ("<author><name/></author>", "has no name"),
        ("<category/>", "has no term"),
        ("<link href='/relative'/>", "no absolute address"),
        ("<link href='https://a/'/><link href='https://b/'/>", "two alternates"),
        ("<at:deleted-entry ref='tag:a,2026:1'/>", "at:deleted-entry when"),
        ("<at:deleted-entry when='2026-01-01T00:00:00Z'/>", "at:deleted-entry ref"),
    ],
)
def test_the_judge_finds_what_is_wrong_with_atom(inside, fault):
    assert faults_of_atom(ATOM % "") == []
    assert any(fault in each for each in faults_of_atom(ATOM % inside))


ITEM = (
    "<item><title>t</title><link>https://a.example/1</link><guid>https://a.example/1</guid></item>"
)
RSS = (
    '<rss version="2.0"><channel><title>t</title><link>https://a.example/</link>'
    "<description>d</description>%s</channel></rss>"
)


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        (ITEM * 2, "is there 2 times"),
        (ITEM.replace("<title>t</title>", ""), "neither title nor description"),
        (ITEM.replace("<guid>https://a.example/1", "<guid>1"), "no absolute address"),
        (ITEM.replace("</item>", "<pubDate>2026-01-01</pubDate></item>"), "no RFC 822 time"),
        (ITEM.replace("</item>", "<author>Ada</author></item>"), "no address of mail"),
        ("<lastBuildDate>now</lastBuildDate>", "no RFC 822 time"),
    ],
)
def test_the_judge_finds_what_is_wrong_with_rss(inside, fault):
    assert faults_of_rss(RSS % ITEM) == []
    assert any(fault in each for each in faults_of_rss(RSS % inside))


JSON: dict[str, Any] = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "t",
    "items": [{"id": "1", "content_text": "a"}],
}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"version": "https://jsonfeed.org/version/1"}, "not 1.1"),
        ({"author": {"name": "A"}}, "no name of JSON Feed"),
        ({"title": 1}, "is no text"),
        ({"items": [{"content_text": "a"}]}, "has no id"),
        ({"items": [{"id": "1"}]}, "has no content"),
        ({"items": [{"id": 1, "content_text": "a"}]}, "is no text"),
        ({"items": JSON["items"] * 2}, "is there 2 times"),
        ({"items": [{"id": "1", "content_text": "a", "date_published": "now"}]}, "RFC 3339"),
        ({"_writethru": 1}, "is no object"),
        ({"authors": [{}]}, "nobody"),
        ({"feed_url": "/a"}, "no absolute address"),
        ({"language": "de DE"}, "no language"),
    ],
)
def test_the_judge_finds_what_is_wrong_with_a_json_feed(change, fault):
    assert faults_of_json_feed(JSON) == []
    assert any(fault in each for each in faults_of_json_feed({**JSON, **change}))
