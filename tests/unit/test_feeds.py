"""Feeds, as programs that read feeds have them; and Markdown, as a parser with HTML has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import feedparser
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.article.article import Article
from shared.article.formats import markdown, sitemap, whole
from shared.article.formats.feeds import of_latest
from shared.article.formats.xml import element, root
from tests.builders import (
    article,
    corrected,
    pinned,
    posted,
    published,
    redacted,
    retracted,
    revised,
    writethru,
)

SITE = "https://news.example"
XML = ("atom", "rss")
HOSTILE = "<script>alert(\"1\")</script> & ]]> &lt; 'q'"
DELETED = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"


def written(shown: Article, form: str, site: str = SITE) -> str:
    return whole.written(shown, form, site).decode()


def read(shown: Article, form: str, site: str = SITE) -> Any:
    """Return the feed as feedparser reads it, which finds no fault with it."""
    document = written(shown, form, site)
    ElementTree.fromstring(document)
    found = feedparser.parse(document.encode())
    assert not found.bozo
    return found


def items(shown: Article, site: str = SITE) -> list[Any]:
    return list(orjson.loads(written(shown, "feed.json", site))["items"])


def tombstones(shown: Article) -> dict[str, str]:
    found = ElementTree.fromstring(written(shown, "atom")).iter(DELETED)
    return {each.attrib["ref"]: each.attrib["when"] for each in found}


@pytest.mark.parametrize("form", XML)
def test_a_feed_reader_has_every_update_newest_first(form):
    # given an article with something of everything that an update may have
    shown = article(
        published("Bridge & ferry", summary="A <summary>.", authors=["Ada"], section="City"),
        posted("u1", "It *opened* [8].", headline="Open <again>", provenance="wire",
               authors=["Bo"], sources=[{"n": 8, "url": "https://a.example/?a=1&b=2"}],
               images=[{"url": "https://a.example/1.jpg", "alt": 'A "bridge"'}]),
        posted("u2", "Cars cross."), pinned("u1"),
    )  # fmt: skip

    found = read(shown, form)

    # then all of it is there, the copy as HTML, and links are absolute
    assert found.feed.title == "Bridge & ferry"
    assert [each.title for each in found.entries] == ["Cars cross.", "Open <again>"]
    second = found.entries[1]
    said = second.content[0].value if form == "atom" else second.description
    assert "<em>opened</em>" in said
    assert "Wire copy" in said
    assert 'href="https://a.example/?a=1&amp;b=2"' in said
    assert 'src="https://a.example/1.jpg"' in said
    assert second.author == "Bo"
    assert second.link == f"{SITE}/articles/harbour-bridge/updates/u1"
    assert found.feed.link == f"{SITE}/articles/harbour-bridge"
    (itself,) = [link.href for link in found.feed.links if link.rel == "self"]
    assert itself == f"{SITE}/articles/harbour-bridge.{form}"


def test_json_feed_has_the_same_and_what_only_we_know():
    shown = article(published(), posted("u1", "It *opened*."), corrected("u1", "It is open."))

    document = orjson.loads(written(shown, "feed.json"))

    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["feed_url"] == f"{SITE}/articles/harbour-bridge.feed.json"
    assert document["_writethru"]["version"] == shown.head.version
    (item,) = document["items"]
    (entry,) = read(shown, "atom").entries
    assert (item["id"], item["url"], item["content_html"]) == (
        entry.id, entry.link, entry.content[0].value,
    )  # fmt: skip
    assert item["_writethru"]["notes"][0]["kind"] == "corrected"


def test_a_feed_has_the_newest_fifty():
    shown = article(published(), *(posted(f"u{number}") for number in range(60)))

    assert [each["_writethru"]["update_id"] for each in items(shown)] == [
        f"u{number}" for number in range(59, 9, -1)
    ]
    assert len(read(shown, "rss").entries) == 50


def test_a_correction_moves_updated_and_a_silent_edit_does_not():
    story = [published(at="2026-03-01T09:00:00Z"), posted("u1", at="2026-03-01T10:00:00Z")]
    edited = [*story, revised("u1", text="It opened!", at="2026-03-01T11:00:00Z")]
    changed = [*edited, corrected("u1", "It is shut.", "It was shut.", at="2026-03-01T12:00:00Z")]

    before, silent, after = (read(article(*each), "atom") for each in (story, edited, changed))

    assert before.entries[0].updated == silent.entries[0].updated == "2026-03-01T10:00:00Z"
    assert silent.feed.updated == "2026-03-01T10:00:00Z"
    assert "opened!" in silent.entries[0].content[0].value
    assert after.entries[0].updated == after.feed.updated == "2026-03-01T12:00:00Z"
    assert after.entries[0].published == "2026-03-01T10:00:00Z"
    assert "It was shut." in after.entries[0].content[0].value
    assert "It was shut." in read(article(*changed), "rss").entries[0].description


@pytest.mark.parametrize("take_back", [retracted, redacted])
def test_what_was_retracted_has_a_tombstone_and_its_note_in_place_of_its_text(take_back):
    # given a feed reader who has an update
    story = [published(), posted("u1", "A secret.", headline="Secrets", authors=["Mole"])]
    (before,) = read(article(*story), "atom").entries

    # when it is taken back
    after = article(*story, take_back("u1", "It never was.", at="2026-03-02T09:00:00Z"))

    # then the same id is a tombstone, and says the note and nothing else
    assert tombstones(article(*story)) == {}
    assert tombstones(after) == {before.id: "2026-03-02T09:00:00Z"}
    for form in XML:
        (entry,) = read(after, form).entries
        assert entry.id == before.id
    for form in ("md", "atom", "feed.json", "rss"):
        said = written(after, form)
        assert "It never was." in said
        assert not any(word in said for word in ("secret", "Secrets", "Mole"))
    assert items(after)[0]["date_modified"] == "2026-03-02T09:00:00Z"


def test_ids_stay_when_the_article_or_the_scheme_of_the_site_changes():
    story = [published(at="2026-03-01T09:00:00Z"), posted("u1")]
    changed = [*story, writethru(headline="Other", published_at="2025-01-01T00:00:00Z"),
               corrected("u1"), posted("u2")]  # fmt: skip

    (before,) = items(article(*story), "http://news.example:8080")
    after = items(article(*changed), "https://news.example")[-1]

    assert before["id"] == after["id"] == "tag:news.example,2026-03-01:harbour-bridge/u1"


@pytest.mark.parametrize("form", XML)
def test_copy_cannot_leave_its_element(form):
    shown = article(
        published(HOSTILE, summary=HOSTILE, tags=[HOSTILE], section=HOSTILE, authors=[HOSTILE]),
        posted("u1", HOSTILE, headline=HOSTILE, authors=[HOSTILE],
               sources=[{"n": 1, "url": "https://a.example/", "title": HOSTILE}],
               images=[{"url": "https://a.example/", "alt": HOSTILE, "credit": HOSTILE}]),
        corrected("u1", HOSTILE, HOSTILE), posted("u2"), retracted("u2", HOSTILE),
    )  # fmt: skip

    found = read(shown, form)

    plain = article(published(), posted("u1"), corrected("u1"), posted("u2"), retracted("u2"))
    assert len(found.entries) == len(read(plain, form).entries)
    assert "<script" not in written(shown, form)
    assert all("<script" not in each["content_html"] for each in items(shown))


@given(st.text())
def test_no_text_makes_a_document_that_is_not_well_formed(text):
    document = root("feed", {"title": text}, element("title", text, term=text))

    assert len(ElementTree.fromstring(document.encode())) == 1


def test_latest_news_has_an_item_an_article_and_the_way_to_the_next_page():
    heads = [article(published(f"Story {n}", slug=f"story-{n}", summary="Why.")).head
             for n in (1, 2)]  # fmt: skip
    feed = of_latest(heads, 1, 2, SITE)

    for form in XML:
        found = feedparser.parse(whole.FEEDS[form](feed))
        assert not found.bozo
        assert [each.title for each in found.entries] == ["Story 1", "Story 2"]
        links = {link.rel: link.href for link in found.feed.links}
        assert links["self"] == f"{SITE}/latest.{form}"
        assert links["next"] == f"{SITE}/latest.{form}?page=2"
    document = orjson.loads(whole.FEEDS["feed.json"](feed))
    assert document["next_url"] == f"{SITE}/latest.feed.json?page=2"
    assert [each["content_text"] for each in document["items"]] == ["Why.", "Why."]


@pytest.mark.parametrize("form", XML)
def test_latest_news_without_an_article_is_a_feed_too(form):
    assert not feedparser.parse(whole.FEEDS[form](of_latest([], 1, 1, SITE))).bozo


def test_the_sitemap_has_what_was_published_in_the_last_two_days():
    moment = datetime(2026, 3, 3, 12, tzinfo=UTC)
    heads = [
        article(published("New & <fresh>", at="2026-03-01T12:00:00Z", locale="pt-BR"),
                posted("u1", at="2026-03-03T08:00:00Z")).head,
        article(published("Old", at="2026-03-01T11:59:59Z"),
                posted("u1", at="2026-03-03T08:00:00Z")).head,
    ]  # fmt: skip
    spaces = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9",
              "n": "http://www.google.com/schemas/sitemap-news/0.9"}  # fmt: skip

    found = ElementTree.fromstring(sitemap.document(heads, moment, SITE))

    (url,) = found
    said = {path: url.findtext(path, namespaces=spaces) for path in (
        "s:loc", "s:lastmod", "n:news/n:title", "n:news/n:publication_date",
        "n:news/n:publication/n:language", "n:news/n:publication/n:name",
    )}  # fmt: skip
    assert list(said.values()) == [
        f"{SITE}/articles/harbour-bridge", "2026-03-03T08:00:00Z", "New & <fresh>",
        "2026-03-01T12:00:00Z", "pt", "news.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("locale", "language"), [("zh-Hant-HK", "zh-tw"), ("zh-CN", "zh-cn"), ("zh", "zh-cn")]
)
def test_a_sitemap_names_the_script_of_chinese(locale, language):
    head = article(published(locale=locale)).head
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert f"<news:language>{language}<" in sitemap.document([head], moment, SITE)


def rendered(source: str) -> str:
    """Return Markdown as a parser has it that lets HTML and any link through."""
    parser = MarkdownIt("commonmark", {"html": True})
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return str(parser.render(source))


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        r"\<script>alert(1)</script>",
        r"\\<script>alert(1)</script>",
        "`a\nb` <script>alert(1)</script> `c`",
        " ~~~\n```\n~~~\n<script>alert(1)</script>",
        "- ```\n\n<script>alert(1)</script>",
        "> ```\n\n<script>alert(1)</script>",
        "a\n\n    b\n\n<script\n>alert(1)</script>",
        "<!-- <script> -->",
        "[x](javascript:alert(1))",
        "[x]( <javascript:alert(1)>)",
        "[x](&#106;avascript:alert(1))",
        "[x](\njavascript:alert(1))",
        "[x][y]\n\n[y]: javascript:alert(1)",
        "[y]\n\n[y]:\njavascript:alert(1)",
        "[y]\n\n> [y]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "![x](data:text/html,1)",
        "[x](/relative)",
    ],
)
def test_markdown_holds_nothing_that_runs_in_another_parser(source):
    page = rendered(markdown.page(article(published(body=source), posted("u1", source))))

    assert "<script" not in page
    assert "<!--" not in page
    for scheme in ("javascript:", "data:", "/relative"):
        assert f'href="{scheme}' not in page
        assert f'src="{scheme}' not in page


def test_markdown_keeps_markup_links_and_code():
    source = "## Now\n\nIt is *open*, see [8](https://a.example/) <https://b.example/>.\n\n- a < b"
    code = "```html\n<b>[x](y)</b>\n```"

    assert markdown.safe(f"{source}\n\n{code}") == f"{source}\n\n{code}"


@pytest.mark.parametrize("fence", ["```", " ```", "~~~~"])
def test_a_fence_that_is_left_open_ends_with_its_text(fence):
    shown = article(published(body=f"Code:\n\n{fence}\na <b>"), posted("u1", "Cars cross."))

    assert "<p>Cars cross.</p>" in rendered(markdown.page(shown))


def test_plain_words_stay_words_in_markdown():
    page = rendered(markdown.page(article(published("*Not* <b>bold</b> [x](y) &amp; `z`"))))

    assert page.startswith("<h1>*Not* &lt;b&gt;bold&lt;/b&gt; [x](y) &amp;amp; `z`</h1>")
