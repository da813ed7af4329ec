"""The JSON-LD of a page: true, whole, bounded, and never a way out of its element."""

from __future__ import annotations

import re
from typing import Any

import orjson

from shared.article.article import Article
from shared.article.formats import html
from shared.article.formats.structured import UPDATES
from tests.builders import (
    article,
    closed,
    corrected,
    posted,
    published,
    reopened,
    retracted,
    revised,
    writethru,
)

PAGE = "https://news.example/articles/harbour-bridge"


def source(shown: Article) -> str:
    updates = list(shown.updates.values())
    return html.article_page(
        shown.head, shown.body, updates[-50:], marked=updates, public_url="https://news.example"
    )


def data(shown: Article) -> Any:
    found = re.findall(r'<script id="data"[^>]*>(.*?)</script>', source(shown), re.DOTALL)
    assert len(found) == 1
    return orjson.loads(found[0])


def test_it_says_what_the_page_shows():
    shown = data(
        article(
            published("Bridge reopens", "Open [8].", authors=["Ada Quay"], summary="In short.",
                      section="City", tags=["bridges"], image="https://example.org/i.png"),
            posted("u1", "The first cars [8]\n\ncrossed.", headline="Cars cross", authors=["B. M."],
                   sources=[{"n": 8, "url": "https://example.org/8", "title": "Port"}]),
            posted("u2", "A truck fell.", provenance="automated"),
            posted("u3", "Wired.", provenance="wire"),
            corrected("u1", "The first lorries [8].", "They were lorries."),
            retracted("u2", "None fell."),
        )
    )  # fmt: skip
    work = {"@type": "CreativeWork", "name": "Port", "url": "https://example.org/8"}
    lorries = {"@type": "CorrectionComment", "text": "They were lorries.",
               "datePublished": "2026-03-01T09:40:00Z", "url": f"{PAGE}/updates/u1"}  # fmt: skip
    assert shown == {
        "@context": "https://schema.org",
        "@type": "LiveBlogPosting",
        "@id": PAGE,
        "url": PAGE,
        "mainEntityOfPage": PAGE,
        "headline": "Bridge reopens",
        "description": "In short.",
        "inLanguage": "en-US",
        "articleSection": "City",
        "keywords": ["bridges"],
        "image": "https://example.org/i.png",
        "author": [{"@type": "Person", "name": "Ada Quay"}],
        "version": 6,
        "datePublished": "2026-03-01T09:00:00Z",
        "dateModified": "2026-03-01T09:50:00Z",
        "coverageStartTime": "2026-03-01T09:00:00Z",
        "correction": [
            {"@type": "CorrectionComment", "text": "None fell.",
             "datePublished": "2026-03-01T09:50:00Z", "url": f"{PAGE}/updates/u2"},
            lorries,
        ],
        "citation": [work],
        "liveBlogUpdate": [
            {"@type": "BlogPosting", "@id": f"{PAGE}/updates/u3", "url": f"{PAGE}#u-u3",
             "headline": "Wired.", "articleBody": "Wired.", "creditText": "Wire copy",
             "datePublished": "2026-03-01T09:30:00Z"},
            {"@type": "BlogPosting", "@id": f"{PAGE}/updates/u1", "url": f"{PAGE}#u-u1",
             "headline": "Cars cross", "articleBody": "The first lorries [8].",
             "author": [{"@type": "Person", "name": "B. M."}],
             "datePublished": "2026-03-01T09:10:00Z", "dateModified": "2026-03-01T09:40:00Z",
             "correction": [lorries], "citation": [work]},
        ],
    }  # fmt: skip


def test_text_that_a_program_wrote_is_told_to_be_so():
    shown = data(article(published(), posted("u1", provenance="automated"), posted("u2")))
    sources = [each.get("digitalSourceType") for each in shown["liveBlogUpdate"]]
    assert sources == [None, "https://schema.org/TrainedAlgorithmicMediaDigitalSource"]


def test_coverage_has_an_end_only_while_it_has_ended_and_its_start_does_not_move():
    opening = [published(), posted("u1"), writethru(published_at="2026-03-02T00:00:00Z")]
    for acts, end in (
        ([], None),
        ([closed(at="2026-03-01T11:00:00Z")], "2026-03-01T11:00:00Z"),
        ([closed(at="2026-03-01T11:00:00Z"), reopened()], None),
        ([closed(at="2026-03-01T11:00:00Z"), closed(at="2026-03-01T12:00:00Z")],
         "2026-03-01T11:00:00Z"),
    ):  # fmt: skip
        shown = data(article(*opening, *acts))
        assert shown.get("coverageEndTime") == end
        assert shown["coverageStartTime"] == "2026-03-01T09:00:00Z"


def test_a_silent_revision_is_no_modification():
    shown = data(article(published(), posted("u1"), revised("u1", text="Tidied.")))
    [update] = shown["liveBlogUpdate"]
    assert update["articleBody"] == "Tidied."
    assert "dateModified" not in update


def test_it_has_the_newest_updates_and_no_more():
    shown = data(article(published(), *(posted(f"u{n}") for n in range(1, 61))))
    assert len(shown["liveBlogUpdate"]) == UPDATES
    assert shown["liveBlogUpdate"][0]["@id"].endswith("/u60")


def test_whatever_a_publisher_writes_stays_inside_and_comes_back_as_it_was():
    bad = '</script><script>alert(1)</script><!-- <![CDATA[ ]]> & " \\ --> {{ 7 * 7 }}'
    shown = article(published(bad, bad), posted("u1", bad, headline=bad), corrected("u1", note=bad))
    assert data(shown)["headline"] == bad
    assert data(shown)["liveBlogUpdate"][0]["correction"][0]["text"] == bad
    inside = re.search(r'<script id="data"[^>]*>(.*)', source(shown))
    assert inside
    assert not set("<>&") & set(inside[1].removesuffix("</script>"))
