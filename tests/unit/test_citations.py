"""`[8]` leads to source 8 where there is one, and is text where there is none."""

from __future__ import annotations

import re

import pytest

from shared.article.editing import GIST_CHARS, gist
from shared.article.formats import html, versions
from shared.article.formats.citations import body_numbers, cited_copy, linked, listed_sources
from tests.builders import OPENING, article, corrected, posted, published, retracted, revised

EIGHT = {"n": 8, "url": "https://example.org/8", "title": "Port"}
LINK = '<a id="c8-u1" class="cite" role="doc-noteref" href="#s8-u1">[8]</a>'
AGAIN = '<a class="cite" role="doc-noteref" href="#s8-u1">[8]</a>'


def copy_of(text: str, **facts) -> str:
    return cited_copy(article(published(), posted("u1", text, **facts)).updates["u1"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Open [8].", f"<p>Open {LINK}.</p>"),
        ("[8][8]", f"<p>{LINK}{AGAIN}</p>"),
        ("*It [8]*", f"<p><em>It {LINK}</em></p>"),
        ("[9] [08] [8a] [ 8 ] [-8] [88888]", "<p>[9] [08] [8a] [ 8 ] [-8] [88888]</p>"),
        ("`[8]`", "<p><code>[8]</code></p>"),
        ("    [8]", "<pre><code>[8]\n</code></pre>"),
        ("[as [8] says](https://example.org/)",
         '<p><a href="https://example.org/" rel="noopener nofollow">as [8] says</a></p>'),
        ("[8](https://example.org/)",
         '<p><a href="https://example.org/" rel="noopener nofollow">8</a></p>'),
        ("`x` and [8]", f"<p><code>x</code> and {LINK}</p>"),
        ("&lt;a&gt; [8]", f"<p>&lt;a&gt; {LINK}</p>"),
    ],
)  # fmt: skip
def test_a_marker_is_a_link_where_it_is_text_and_has_a_source(text, expected):
    assert copy_of(text, sources=[EIGHT]) == expected


def test_without_sources_nothing_is_linked():
    assert copy_of("Open [8].") == "<p>Open [8].</p>"
    assert linked("<p>[8]</p>", {}, "", set()) == "<p>[8]</p>"


def test_a_number_that_is_given_twice_is_its_first_source_and_both_are_listed():
    other = {"n": 8, "url": "https://example.org/other"}
    shown = article(published(), posted("u1", "[8]", sources=[EIGHT, other]))
    listed = listed_sources(shown.updates["u1"])
    assert [(each.source.url, each.id, each.cited) for each in listed] == [
        (EIGHT["url"], "s8-u1", "c8-u1"),
        (other["url"], None, "c8-u1"),
    ]


def test_a_body_s_numbers_are_those_that_it_may_link():
    body = article(published(body="# [1]\n\nOpen [8][9].\n\n- [10]")).body
    assert body_numbers(body) == {8, 9, 10}


def test_every_link_on_a_page_leads_to_something_on_it_and_every_id_is_there_once():
    # given updates whose ids are made to be mistaken for one another, and sources used or not
    shown = article(
        published(body="First [1].\n\nThen [1][2][3]."),
        *(posted(name, "Known [1], [2].", key_event=True,
                 sources=[{"n": n, "url": f"https://example.org/{name}/{n}"} for n in (1, 2, 4)])
          for name in ("u", "u-1", "1-u", "1", "s1-u", "updates")),
        retracted("1"),
    )  # fmt: skip
    # when it is shown
    updates = list(shown.updates.values())
    page = html.article_page(shown.head, shown.body, updates, marked=updates)
    # then each fragment is an id, and each id one place
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    # and a source that its update does not cite is named there
    assert page.count('<p class="uncited"') == 5


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"headline": "Cars cross"}, "Cars cross"),
        ({"text": "## Part\n\nMore."}, "Part"),
        ({"text": "Cars **cross**.\n\nMore."}, "Cars cross."),
        ({"text": "word " * 40}, ("word " * 18).strip() + "…"),
        ({"text": "x" * 200}, "x" * GIST_CHARS + "…"),
        ({"text": "Cars [8] cross[8][9].", "sources": [EIGHT]}, "Cars cross[9]."),
    ],
)
def test_a_key_event_is_told_by_its_headline_or_how_it_begins(facts, expected):
    shown = article(published(), posted("u1", **facts))
    assert gist(shown.updates["u1"]) == expected


def test_a_page_lists_the_newest_key_events_in_the_article_s_order():
    posts = [posted(f"u{n}", f"Turn {n}.", key_event=n % 2 == 0) for n in range(1, 61)]
    for order, numbers in (("oldest-first", range(42, 61, 2)), ("newest-first", range(60, 41, -2))):
        shown = article(published(update_order=order), *posts, revised("u3", headline="Three"))
        updates = list(shown.updates.values())
        page = html.article_page(shown.head, shown.body, updates[-50:], marked=updates)
        [listed] = re.findall(r'<ol id="key-events">(.*?)</ol>', page, re.DOTALL)
        assert re.findall(r"Turn (\d+)\.", listed) == [str(number) for number in numbers]
        assert set(re.findall(r'href="([^"]+)"', listed)) == {f"#u-u{n}" for n in numbers}


def test_a_key_event_that_stands_on_another_page_is_linked_there():
    posts = [posted(f"u{n}", key_event=n == 1) for n in range(1, 60)]
    shown = article(published(), *posts)
    updates = list(shown.updates.values())
    page = html.article_page(shown.head, shown.body, updates[-50:], marked=updates[:1])
    [listed] = re.findall(r'<ol id="key-events">(.*?)</ol>', page, re.DOTALL)
    assert re.findall(r'href="([^"]+)"', listed) == ["/articles/harbour-bridge/updates/u1"]


def test_an_article_as_it_stood_has_the_sources_that_its_updates_cite():
    shown = article(published(), posted("u1", "[8] [9]", sources=[EIGHT]), posted("u2"))
    page = versions.version_page(shown, frozenset(), versions.Place(3, 3, OPENING))
    ids = re.findall(r' id="([^"]+)"', page)
    assert "s8-u1" in ids
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_an_article_as_it_stood_lists_what_it_listed_then_and_leads_to_it_on_the_page():
    posts = [posted(f"u{n}", f"Turn {n}.", key_event=n < 3) for n in range(1, 60)]
    shown = article(
        published(body="Open [8]."),
        *posts,
        revised("u1", sources=[EIGHT]),
        corrected("u1", "Turn one.", "It was one."),
    )
    page = versions.version_page(shown, frozenset({"u2"}), versions.Place(62, 62, OPENING))

    lists = re.findall(r"<ol(?: class=\"corrections\")?>\n(.*?)</ol>", page, re.DOTALL)
    events, corrections = lists[0], lists[1]
    assert re.findall(r'href="([^"]+)"', events) == ["#u-u1"]
    assert "Turn one." in events
    assert re.findall(r'href="([^"]+)"', corrections) == ["#u-u1"]
    assert "It was one." in corrections
    assert 'href="#s8-u1">[8]</a>' in page.partition("Turn one.")[2].partition("u-u1")[0]
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r' id="([^"]+)"', page))
