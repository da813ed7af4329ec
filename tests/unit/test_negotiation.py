"""Which representation a reader gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliver.core.negotiation import (
    ATOM,
    FORMATS,
    HTML,
    JSON,
    JSON_FEED,
    MARKDOWN,
    NINJS,
    RSS,
    TEXT,
    by_accept,
    by_ending,
    for_errors,
    split_ending,
)

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, HTML),
        ("", HTML),
        ("*/*", HTML),
        (BROWSER, HTML),
        ("application/json", JSON),
        ("text/plain", TEXT),
        ("TEXT/Plain; charset=utf-8", TEXT),
        ("application/json;q=0.5, text/plain", TEXT),
        ("text/plain;q=0.5, text/html;q=0.4", TEXT),
        ("text/html;q=0.3, application/json;q=0.31", JSON),
        ("application/*", JSON),
        ("text/*", HTML),
        ("text/*, text/html;q=0", TEXT),
        ("*/*, text/html;q=0.1", JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/event-stream, application/json;q=0.1", JSON),
        ("text/markdown", MARKDOWN),
        ("application/atom+xml, application/rss+xml;q=0.9", ATOM),
        ("application/rss+xml, */*;q=0.5", RSS),
        ("application/feed+json, application/json;q=0.8", JSON_FEED),
        ("application/*, application/json;q=0.2", ATOM),
        ("image/png", None),
        ("text/html;q=0", None),
        ("*/*;q=0", None),
    ],
)
def test_accept_chooses_by_weight_then_by_name_then_as_we_prefer(accept, expected):
    assert by_accept(accept) is expected


@pytest.mark.parametrize(
    "garbage", ["nonsense", ";;", ",", "text/html;q=2", "text/html;q=abc", "a/b/c", "/"]
)
def test_what_can_not_be_read_of_accept_counts_as_not_said(garbage):
    assert by_accept(garbage) is HTML
    assert by_accept(f"{garbage}, text/plain") is TEXT


@given(st.text(max_size=80))
def test_no_accept_whatever_it_holds_is_an_error(accept):
    assert by_accept(accept) in (*FORMATS, None)


def test_only_what_is_offered_is_chosen():
    assert by_accept("text/plain, application/json;q=0.1", [HTML, JSON]) is JSON
    assert by_accept("text/plain", [HTML, JSON]) is None


@pytest.mark.parametrize(
    ("name", "stem", "ending"),
    [
        ("harbour-bridge", "harbour-bridge", None),
        ("harbour-bridge.json", "harbour-bridge", "json"),
        ("harbour-bridge.feed.json", "harbour-bridge", "feed.json"),
        ("harbour-bridge.", "harbour-bridge", ""),
        (".json", "", "json"),
    ],
)
def test_an_ending_begins_at_the_first_dot(name, stem, ending):
    assert split_ending(name) == (stem, ending)


def test_an_ending_that_is_not_offered_is_no_format():
    assert by_ending("json") is JSON
    assert by_ending("feed.json") is JSON_FEED
    assert by_ending("ninjs.json") is NINJS
    assert by_ending("csv") is None
    assert by_ending("txt", [HTML, JSON]) is None


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/articles/a", BROWSER, HTML),
        ("/articles/a", "application/json", JSON),
        ("/articles/a", "image/png", HTML),
        ("/articles/a.json", BROWSER, JSON),
        ("/articles/a.txt", None, TEXT),
        ("/articles/a.md", BROWSER, TEXT),
        ("/articles/a.atom", BROWSER, TEXT),
        ("/articles/a.rss", BROWSER, TEXT),
        ("/articles/a.feed.json", BROWSER, JSON),
        ("/articles/a", "application/atom+xml", TEXT),
        ("/sitemap-news.xml", BROWSER, TEXT),
        ("/articles/a/changes", BROWSER, JSON),
        ("/articles/a/live", "text/event-stream", JSON),
        ("/live", None, JSON),
        ("/articles/a.docx", BROWSER, HTML),
        ("/articles/live-blog", BROWSER, HTML),
    ],
)
def test_an_error_is_told_in_the_format_that_was_asked_for(path, accept, expected):
    assert for_errors(path, accept) is expected
