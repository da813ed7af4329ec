"""The HTML pages: whole without a script, light, and safe whatever publishers write."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser

import pytest

from shared.article.article import Article, Body, Head
from shared.article.formats import dressing, html
from tests.builders import (
    article,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    writethru,
)  # fmt: skip

#: A browser runs nothing of this type.
DATA = "application/ld+json"
#: As many words as a day's coverage has.
PARAGRAPH = "The port authority said that the pier had not moved and that the river was open. " * 5
LONG_BODY = "\n\n".join(f"{n}: {PARAGRAPH}" for n in range(9))


def page(shown: Article) -> str:
    return html.article_page(shown.head, shown.body, list(shown.updates.values()))


class Reader(HTMLParser):
    """Gathers the text that one can see, in order, and the tags."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._silent = False
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._silent = tag in ("title", "script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def in_order(source: str, *phrases: str) -> bool:
    text = Reader(source).text
    places = [text.find(phrase) for phrase in phrases]
    assert -1 not in places, dict(zip(phrases, places, strict=True))
    return places == sorted(places)


def test_the_page_has_the_facts_of_the_text_page_in_their_order():
    shown = article(
        published("Bridge reopens", f"{PARAGRAPH}\n\n## Why\n\nShort."),
        posted("u1", "One."), posted("u2", "Two."), corrected("u1", "First.", "It was wrong."),
        retracted("u2", "Untrue."),
    )  # fmt: skip
    assert in_order(
        page(shown), "Bridge reopens", "📅 Published: 3/1/2026", "🔄 Updated: 3/1/2026, 9:40:00 AM",
        "📊 1 update", "⏱️ 1 min read",
        "📱 This article updates automatically every 10 minutes with breaking developments",
        f"{PARAGRAPH[:60]}...", PARAGRAPH.strip(), "Why", "Short.",
        "🔄 Updated: 3/1/2026, 9:10:00 AM", "First.",
        "✏️ Corrected: 3/1/2026, 9:30:00 AM . It was wrong.",
        "🔄 Updated: 3/1/2026, 9:20:00 AM", "🚫 Retracted: 3/1/2026, 9:40:00 AM . Untrue.",
        "← Back to all articles", "Latest News",
    )  # fmt: skip
    assert "Two." not in page(shown)


def test_a_coverage_that_has_ended_says_so_and_promises_nothing():
    shown = page(article(published(), closed(note="That was it.")))
    assert in_order(shown, "Ended", "🏁 Live updates have ended", "That was it.")
    assert "updates automatically" not in shown
    assert "http-equiv" not in shown


def test_without_a_script_the_page_loads_itself_anew_at_its_cadence():
    assert '<noscript><meta http-equiv="refresh" content="90">' in page(
        article(published(cadence_seconds=90))
    )
    assert "http-equiv" not in page(article(published(cadence_seconds=None)))


def test_a_pinned_update_stands_first_with_its_mark():
    shown = article(published(), posted("u1", "One."), posted("u2", "Two."), pinned("u2"))
    assert in_order(page(shown), "📌 🔄 Updated:", "Two.", "One.")


def test_the_newest_stand_first_where_the_article_says_so_and_earlier_pages_are_below_them():
    posts = [posted(f"u{n}", f"Number {n}.") for n in range(1, 61)]
    shown = article(published(update_order="newest-first"), *posts)
    newest = html.article_page(shown.head, shown.body, list(shown.updates.values())[-50:])
    assert in_order(newest, "Number 60.", "Number 11.", "Earlier updates, by page: 1")
    shown = article(published(), *posts)
    newest = html.article_page(shown.head, shown.body, list(shown.updates.values())[-50:])
    assert in_order(newest, "Earlier updates, by page: 1", "Number 11.", "Number 60.")


@pytest.mark.parametrize(
    ("posted", "links"),
    [(50, []), (51, [1]), (100, [1]), (101, [1, 2]), (400, [1, 2, 3, 4, 5, 6, 7]),
     (10_000, [1, 2, 195, 196, 197, 198, 199])],
)  # fmt: skip
def test_of_many_earlier_pages_those_at_both_ends_are_linked(posted: int, links: list[int]):
    head = Head("a", 1, "0" * 40, "live", "A", posted=posted, published_at=BEGINNING.published_at)
    found = re.findall(r'href="/articles/a/pages/(\d+)"', html.article_page(head, Body(), ()))
    assert [int(number) for number in found] == links


BEGINNING = article(published()).head


def test_which_way_a_page_runs_is_its_locale_s():
    assert 'lang="en-US"' in page(article(published()))
    assert 'dir="ltr"' in _main(page(article(published())))
    assert 'dir="rtl"' in _main(page(article(published(locale="ar-EG"))))
    assert 'dir="rtl"' in _main(page(article(published(locale="ur"))))


def _main(source: str) -> str:
    found = re.search(r"<main[^>]*>", source)
    assert found
    return found[0]


HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}&amp;"


def test_what_a_publisher_writes_is_text_wherever_it_stands():
    shown = article(
        published(HOSTILE, HOSTILE, summary=HOSTILE, authors=[HOSTILE]),
        posted("u1", HOSTILE, headline=HOSTILE, authors=[HOSTILE],
               sources=[{"n": 1, "url": "https://example.org/?a='\"><b>", "title": HOSTILE}],
               images=[{"url": "https://example.org/i.png", "alt": HOSTILE, "credit": HOSTILE}]),
        corrected("u1", HOSTILE, HOSTILE), writethru(note=HOSTILE),
    )  # fmt: skip
    updates = list(shown.updates.values())
    dead = article(published(), killed(HOSTILE)).head
    for source in (
        page(shown),
        html.updates_page(shown.head, 1, updates),
        html.latest_page([shown.head], page=1, pages=1),
        html.killed_page(dead),
        html.error_page(404, HOSTILE, HOSTILE),
    ):
        reader = Reader(source)
        scripts = [facts for tag, facts in reader.tags if tag == "script"]
        assert all("src" in facts or facts["type"] == DATA for facts in scripts)
        assert "{{ 7 * 7 }}" in reader.text
        assert not [tag for tag, _ in reader.tags if tag == "b"]
        assert not [facts for _, facts in reader.tags if any(n.startswith("on") for n in facts)]
        assert all("example.org" in (f["src"] or "") for tag, f in reader.tags if tag == "img")


def test_pages_have_no_style_and_no_script_of_their_own_inside():
    for source in (page(article(published())), html.latest_page([], page=1, pages=1)):
        assert "<style" not in source
        assert " style=" not in source
        assert not re.search(rf'<script(?![^>]* (src=|type="{re.escape(DATA)}"))', source)
        linked = re.findall(r'(?:src|href)="/static/([^"]+)"', source)
        assert set(linked) <= set(dressing.ASSETS)
        assert len(linked) == 3


def test_a_killed_article_s_page_has_its_time_and_note_and_nothing_else():
    dead = article(published("A name", "A name.", timezone="Asia/Tokyo"), killed("Legal advice."))
    told = "🚫 Withdrawn: 3/1/2026, 6:10:00 PM . Legal advice."
    text = Reader(html.killed_page(dead.head)).text
    assert text == f"Withdrawn {told} ← Back to all articles"


def test_latest_news_tells_what_runs_from_what_has_ended():
    live = article(published("Runs", slug="a"), posted("u1")).head
    over = article(published("Is over", slug="b"), closed()).head
    shown = html.latest_page([live, over], page=2, pages=3)
    assert in_order(shown, "Runs", "Live 1 update ·", "Is over", "Ended 0 updates ·", "Page 2 of 3")
    assert 'href="/?page=1" rel="prev"' in shown
    assert 'href="/?page=3" rel="next"' in shown
    assert "Nothing has been published yet." in html.latest_page([], page=1, pages=1)


def test_a_page_that_says_try_again_does_so_by_itself():
    assert 'http-equiv="refresh"' in html.error_page(503, "Busy", "Try again.")
    assert "http-equiv" not in html.error_page(404, "Not Found", "Nothing here.")


def _size(name: str) -> int:
    (asset,) = (each for each in dressing.ASSETS.values() if each.name.startswith(f"{name}."))
    return len(gzip.compress(asset.data))


def test_script_and_style_are_light():
    assert _size("article") < 4_000
    assert _size("front") < 4_000
    assert _size("page") < 4096


def test_a_page_with_all_that_it_loads_is_light():
    shown = article(published("A headline of the usual length, more or less", LONG_BODY),
                    *(posted(f"u{n}", PARAGRAPH) for n in range(7)))  # fmt: skip
    source = page(shown).encode()
    linked = [asset for name, asset in dressing.ASSETS.items() if name.encode() in source]
    assert len(source) < 30_000
    assert len(gzip.compress(source)) + sum(len(gzip.compress(a.data)) for a in linked) < 15_000


def test_a_file_s_name_changes_with_its_content_only():
    for name, asset in dressing.ASSETS.items():
        assert re.fullmatch(
            r"(article|embed|front|history|icon|page)\.[0-9a-f]{12}\.(css|js|svg)", name
        )
        assert asset.name == name
    assert len({asset.data for asset in dressing.ASSETS.values()}) == len(dressing.ASSETS)


def test_the_script_goes_out_without_remarks():
    for asset in dressing.ASSETS.values():
        if asset.name.endswith(".js"):
            assert b"\n//" not in asset.data
            assert b"  " not in asset.data


def _properties(source: str) -> dict[str, list[str | None]]:
    """Return what a page says of itself to those who share it, by name."""
    found: dict[str, list[str | None]] = {}
    for tag, facts in Reader(source).tags:
        name = facts.get("property") or facts.get("name")
        if tag == "meta" and name:
            found.setdefault(name, []).append(facts["content"])
    return found


def test_a_page_that_is_shared_shows_headline_summary_picture_and_times():
    shown = article(
        published("Bridge & <ferry>", summary="It is open.", section="City", tags=["a", "b"],
                  image={"url": "https://e.example/i.png", "alt": "A bridge"}, locale="en-GB",
                  at="2026-03-01T09:00:00+01:00"),
        posted("u1", at="2026-03-01T10:00:00Z"),
    )  # fmt: skip
    source = html.article_page(shown.head, shown.body, (), public_url="https://news.example")

    said = _properties(source)

    assert said["og:title"] == ["Bridge & <ferry>"]
    assert said["og:type"] == ["article"]
    assert said["og:url"] == ["https://news.example/articles/harbour-bridge"]
    assert said["og:description"] == said["description"] == ["It is open."]
    assert said["og:locale"] == ["en_GB"]
    assert said["og:image"] == ["https://e.example/i.png"]
    assert said["og:image:alt"] == ["A bridge"]
    assert said["twitter:card"] == ["summary_large_image"]
    assert said["article:published_time"] == ["2026-03-01T08:00:00Z"]
    assert said["article:modified_time"] == ["2026-03-01T10:00:00Z"]
    assert (said["article:section"], said["article:tag"]) == (["City"], ["a", "b"])


def test_a_page_that_is_shared_leads_to_where_its_article_is_at_home():
    at_home = "https://paper.example/bridge"
    shown = article(published(canonical_url=at_home, image="https://e.example/i.png"))
    source = page(shown)

    assert _properties(source)["og:url"] == [at_home]
    assert _properties(source)["og:image"] == ["https://e.example/i.png"]
    assert ("link", {"rel": "canonical", "href": at_home}) in Reader(source).tags


@pytest.mark.parametrize(("order", "there"), [("oldest-first", 1), ("newest-first", 0)])
def test_a_reader_can_jump_to_the_latest_update_where_it_is_not_the_first(order, there):
    source = page(article(published(update_order=order), posted("u1"), posted("u2")))

    jumps = [facts for tag, facts in Reader(source).tags if facts.get("href") == "#newest"]
    assert len(jumps) == there
    if there:
        assert source.index('id="u-u2"') < source.index('id="newest"')
        assert source.index('id="newest"') < source.index("corrections-title")
