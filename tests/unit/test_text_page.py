"""The text page, rule by rule."""

from __future__ import annotations

import pytest

from shared.article.article import Article, Head
from shared.article.formats import text
from tests.builders import (
    article,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    reopened,
    retracted,
    unpinned,
    writethru,
)

NINE = "2026-03-01T09:00:00Z"
TEN = "2026-03-01T10:00:00Z"
ELEVEN = "2026-03-01T11:00:00Z"
TWELVE = "2026-03-01T12:00:00Z"


def page(*events):
    return text.page(article(*events))


def facts(*events):
    """The lines between the first blank line and the second."""
    return page(*events).split("\n\n")[1].split("\n")


def updates(*events):
    """The lines of the updates of an article with the body ``Body.``"""
    return page(published(body="Body."), *events).split("\n\n")[4].split("\n")[:-1]


def body(source):
    return page(published("Headline", source)).split("# Headline\n\n")[1].split("\n\n← Back")[0]


def test_a_page_is_headline_facts_body_updates_and_the_way_back():
    events = [published("Bridge opens", "It is open.", at=NINE), posted("u1", "Cars.", at=TEN)]
    assert page(*events) == (
        "Bridge opens\n"
        "\n"
        "📅 Published: 3/1/2026\n"
        "🔄 Updated: 3/1/2026, 10:00:00 AM\n"
        "📊 1 update\n"
        "⏱️ 1 min read\n"
        "📱 This article updates automatically every 10 minutes with breaking developments\n"
        "\n"
        "# Bridge opens\n"
        "\n"
        "It is open.\n"
        "\n"
        "🔄 Updated: 3/1/2026, 10:00:00 AM\n"
        "Cars.\n"
        "← Back to all articles\n"
        "\n"
        "Latest News"
    )


def test_without_updates_the_blank_line_after_the_body_is_followed_by_the_way_back():
    assert page(published("H", "It is open.")).endswith(
        "\n\nIt is open.\n\n← Back to all articles\n\nLatest News"
    )


def test_without_a_body_the_headline_is_followed_by_the_updates():
    assert page(published("H", "", at=NINE), posted("u1", "Cars.", at=TEN)).endswith(
        "\n\n# H\n\n🔄 Updated: 3/1/2026, 10:00:00 AM\nCars.\n← Back to all articles\n\nLatest News"
    )


def test_of_a_killed_article_one_line_is_left():
    events = [published("Secret", "Body."), posted("u1"), killed("Legal advice.", at=TWELVE)]
    assert page(*events) == "🚫 Withdrawn: 3/1/2026, 12:00:00 PM. Legal advice."


def test_the_line_of_a_killed_article_keeps_its_zone_and_locale():
    events = [published(timezone="Europe/Berlin", locale="de-DE"), killed("Recht.", at=TWELVE)]
    assert page(*events) == "🚫 Withdrawn: 01.03.2026, 13:00:00. Recht."


def test_an_article_that_was_never_opened_has_no_page():
    with pytest.raises(ValueError, match="bridge was never opened"):
        text.page(Article(Head("bridge")))


@pytest.mark.parametrize(
    ("posts", "line"), [(0, "📊 0 updates"), (1, "📊 1 update"), (2, "📊 2 updates")]
)
def test_the_updates_are_counted(posts, line):
    assert facts(published(), *(posted(f"u{n}") for n in range(posts)))[2] == line


def test_retracted_updates_do_not_count():
    assert facts(published(), posted("u1"), posted("u2"), retracted("u1"))[2] == "📊 1 update"


@pytest.mark.parametrize(
    ("seconds", "often"),
    [
        (1, "every second"),
        (90, "every 90 seconds"),
        (60, "every minute"),
        (600, "every 10 minutes"),
        (5400, "every 90 minutes"),
        (3600, "every hour"),
        (7200, "every 2 hours"),
    ],
)
def test_the_cadence_is_told_in_the_largest_unit_that_divides_it(seconds, often):
    assert facts(published(cadence_seconds=seconds))[4] == (
        f"📱 This article updates automatically {often} with breaking developments"
    )


def test_without_a_cadence_nothing_is_promised():
    assert len(facts(published(cadence_seconds=None))) == 4


@pytest.mark.parametrize("cadence", [600, None])
def test_a_closed_article_says_so_instead(cadence):
    assert facts(published(cadence_seconds=cadence), closed())[4:] == ["🏁 Live updates have ended"]


def test_a_reopened_article_promises_again():
    assert "📱" in facts(published(), closed(), reopened())[4]


@pytest.mark.parametrize(
    ("zone", "locale", "published_on", "updated"),
    [
        ("America/New_York", "en-US", "11/14/2025", "11/15/2025, 12:10:44 AM"),
        ("America/New_York", "en-GB", "14/11/2025", "15/11/2025, 00:10:44"),
        ("America/New_York", "de-DE", "14.11.2025", "15.11.2025, 00:10:44"),
        ("UTC", "en-US", "11/15/2025", "11/15/2025, 5:10:44 AM"),
    ],
)
def test_dates_follow_the_zone_and_the_locale(zone, locale, published_on, updated):
    opening = published(at="2025-11-15T04:00:44Z", timezone=zone, locale=locale)
    lines = facts(opening, posted("u1", at="2025-11-15T05:10:44Z"))
    assert lines[:2] == [f"📅 Published: {published_on}", f"🔄 Updated: {updated}"]


def test_a_paragraph_of_more_than_sixty_characters_is_preceded_by_its_beginning():
    assert body("x" * 60) == "x" * 60
    assert body("x" * 61) == "x" * 60 + "...\n\n" + "x" * 61


def test_a_teaser_is_cut_by_code_points_and_not_trimmed():
    source = "ü" * 59 + " and on it goes"
    assert body(source) == "ü" * 59 + " ...\n\n" + source


def test_a_heading_has_its_marks_and_no_teaser():
    assert body("### " + "Long " * 20 + "heading\n\nText.") == (
        "### " + "Long " * 20 + "heading\n\nText."
    )


def test_lists_quotes_and_code_stand_as_in_the_source():
    source = "- *one*\n- two\n\n> quoted\n> twice\n\n```\nx = 1\n\ny = 2\n```"
    assert body(source) == source


def test_markup_within_a_paragraph_is_resolved_and_a_bare_citation_stays():
    assert body("A *b*\n**c** [d](https://example.com)[8].") == "A b c d[8]."


def test_raw_html_is_text():
    assert body("<b>bold</b> & so on") == "<b>bold</b> & so on"


def test_updates_stand_without_blank_lines_one_line_a_paragraph():
    assert updates(
        posted("u1", "One.\n\nTwo *three*.", at=TEN), posted("u2", "Four.", at=ELEVEN)
    ) == [
        "🔄 Updated: 3/1/2026, 10:00:00 AM",
        "One.",
        "Two three.",
        "🔄 Updated: 3/1/2026, 11:00:00 AM",
        "Four.",
    ]


@pytest.mark.parametrize(
    ("provenance", "lines"),
    [("automated", ["ℹ️ Automated text"]), ("wire", ["ℹ️ Wire copy"]), ("human", []), (None, [])],
)
def test_what_no_person_of_the_newsroom_wrote_says_so_on_its_last_line(provenance, lines):
    said = updates(
        posted("u1", "Cars.", at=TEN, provenance=provenance),
        corrected("u1", "Lorries.", "They were lorries.", at=ELEVEN),
    )
    assert said == [
        "🔄 Updated: 3/1/2026, 10:00:00 AM",
        "Lorries.",
        "✏️ Corrected: 3/1/2026, 11:00:00 AM. They were lorries.",
        *lines,
    ]


def test_a_corrected_update_shows_its_latest_correction():
    assert updates(
        posted("u1", "Cars.", at=TEN),
        corrected("u1", "Lorries.", "They were lorries.", at=ELEVEN),
        corrected("u1", "Buses.", "They were buses.", at=TWELVE),
    ) == [
        "🔄 Updated: 3/1/2026, 10:00:00 AM",
        "Buses.",
        "✏️ Corrected: 3/1/2026, 12:00:00 PM. They were buses.",
    ]


def test_a_retracted_update_shows_when_and_why_and_nothing_else():
    assert updates(
        posted("u1", "Cars.", at=TEN),
        corrected("u1", at=ELEVEN),
        retracted("u1", "It did not happen.", at=TWELVE),
    ) == [
        "🔄 Updated: 3/1/2026, 10:00:00 AM",
        "🚫 Retracted: 3/1/2026, 12:00:00 PM. It did not happen.",
    ]


def order(*events):
    """The texts of updates in the order of the page, the pinned one's with its mark."""
    lines = updates(*events)
    starts = [at for at, line in enumerate(lines) if "🔄" in line]
    return [("📌 " if lines[at].startswith("📌 🔄") else "") + lines[at + 1] for at in starts]


THREE = [posted("u1", "One.", at=TWELVE), posted("u2", "Two.", at=TEN), posted("u3", "Three.")]


def test_updates_stand_in_the_order_of_their_release():
    assert order(*THREE) == ["One.", "Two.", "Three."]


def test_newest_first_turns_the_order_round():
    newest_first = writethru(update_order="newest-first")
    assert order(*THREE, newest_first) == ["Three.", "Two.", "One."]
    assert order(*THREE, newest_first, writethru(update_order=None)) == ["One.", "Two.", "Three."]


def test_the_pinned_update_stands_first_with_its_mark():
    assert order(*THREE, pinned("u2")) == ["📌 Two.", "One.", "Three."]
    newest_first = writethru(update_order="newest-first")
    assert order(*THREE, newest_first, pinned("u2")) == ["📌 Two.", "Three.", "One."]


def test_the_unpinned_update_goes_back_to_its_place():
    assert order(*THREE, pinned("u2"), unpinned("u2")) == ["One.", "Two.", "Three."]
    assert updates(*THREE, pinned("u2"), retracted("u2"))[2] == "🔄 Updated: 3/1/2026, 10:00:00 AM"


def test_an_update_that_reads_as_nothing_is_its_first_line():
    assert updates(posted("u1", "[8]: https://example.com", at=TEN)) == [
        "🔄 Updated: 3/1/2026, 10:00:00 AM"
    ]
