"""An open page takes every change in place, and then equals one that was loaded afresh."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.open_page import LIMIT, OpenPage
from tests.builders import (
    closed,
    corrected,
    killed,
    pinned,
    posted,
    reopened,
    retracted,
    revised,
    unpinned,
    writethru,
)  # fmt: skip
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser


@pytest.fixture
def page(stack: Stack, browser: Chrome) -> OpenPage:
    return OpenPage(stack, browser, headline="Ferry crews walk out", body="No ferry has left.")


def test_a_post_a_correction_and_a_retraction_reach_an_open_page_without_a_reload(
    page: OpenPage,
) -> None:
    # Given an open page with one update
    page.file(posted("u1", "Talks begin at noon."))
    page.open()

    # When another is posted, the first is corrected and the second is retracted
    page.file(posted("u2", "Crews have voted."))
    page.caught_up()
    assert page.updates() == ["u1", "u2"]
    assert "Crews have voted." in page.text("#u-u2")
    assert "2 updates" in page.text("#count")

    page.file(corrected("u1", "Talks begin at two.", "The time was wrong."))
    page.caught_up()
    assert "Talks begin at two." in page.text("#u-u1")
    assert "Corrected" in page.text("#u-u1")
    assert "The time was wrong." in page.text("#u-u1")

    page.file(retracted("u2", "There was no vote."))
    page.caught_up()

    # Then the text is gone from the page, and the note stands there
    assert "Crews have voted." not in page.browser.page_source
    assert "Retracted" in page.text("#u-u2")
    assert "There was no vote." in page.text("#u-u2")
    assert "1 update" in page.text("#count")


def test_an_open_page_loses_a_redacted_text(stack: Stack, browser: Chrome) -> None:
    # Given an open page with a text that must not be
    page = OpenPage(stack, browser)
    page.file(posted("u1", "A name."), corrected("u1", "Another name.", "Not that name."))
    page.open()
    # When it is redacted
    stack.command("redact", page.slug, "u1", "--note", "A court has ordered it.")
    page.version += 1
    # Then the note of that stands in its place, and no other
    page.caught_up()
    assert "A court has ordered it." in page.text("#u-u1")
    assert "name" not in page.text("main")


CITED = [
    {"n": 1, "url": "https://example.org/1", "title": "The port, again"},
    {"n": 8, "url": "https://example.org/tides?a=1&b=2"},
]
#: Every act that an open page can meet, with the facts that show on a page.
ACTS: list[dict[str, Any]] = [
    posted("u1", "First **bold** words, with [a link](https://example.org/).", headline="One"),
    posted(
        "u2",
        "Second.\n\n- a list\n- of two",
        key_event=True,
        sources=[{"n": 1, "url": "https://example.org/1", "title": "The port"}],
        images=[{"url": "https://example.org/i.png", "alt": "A quay", "credit": "Port"}],
    ),
    posted("u3", "Third.", headline="Three", authors=["Ada Quay", "Ben Mole"], key_event=True),
    posted("u5", "Fifth [1], and [8] twice [8].", provenance="automated", sources=CITED),
    posted(
        "u6", "Sixth [9].", provenance="wire", sources=[{"n": 8, "url": "https://example.org/8"}]
    ),
    writethru(body="Lede [1].\n\nMore [8], and [7] and `[1]`."),
    revised("u5", sources=[]),
    revised("u5", sources=CITED, headline="Five", key_event=True),
    corrected("u6", "Sixth [8].", "It was eight."),
    corrected("u6", "Sixth.", "It was none."),
    pinned("u5"),
    retracted("u5", "None of it."),
    pinned("u2"),
    posted("u4", "Fourth."),
    corrected("u1", "First, corrected.", "It was wrong."),
    revised("u3", text="Third, tidied."),
    pinned("u4"),
    retracted("u3", "It did not happen."),
    retracted("u2", "Nor did this."),
    unpinned("u4"),
    writethru(headline="A new headline", body="## New\n\nA new lede.", note="New lede."),
    writethru(summary="What it is about.", authors=["Cleo Fen"]),
    closed(note="That was it."),
    reopened(),
    writethru(cadence_seconds=3600, authors=[], summary=None),
    writethru(cadence_seconds=90, body="Short.\n\nShort.\n\n# Part\n\nShort."),
    writethru(cadence_seconds=7200, body="Short.\n\n### Part\n\nShort.\n\nShort."),
    writethru(cadence_seconds=None, body="> A quote.\n\n" + "A long paragraph of words. " * 5),
]


@pytest.mark.parametrize("order", ["oldest-first", "newest-first"])
def test_a_page_that_took_every_act_in_place_equals_one_loaded_afresh(
    stack: Stack, browser: Chrome, order: str
) -> None:
    # Given a page that is open while every act is filed, one by one
    page = OpenPage(
        stack, browser, headline="Every act", body="Lede.", update_order=order,
        timezone="America/New_York", locale="en-US",
    )  # fmt: skip
    page.open()
    for act in ACTS:
        page.file({**act, "id": uuid.uuid4().hex})
        page.caught_up()
    followed = page.html()

    # When the same page is loaded afresh
    page.open()

    # Then nothing tells them apart
    assert followed == page.html()


@pytest.mark.parametrize(
    ("locale", "timezone"),
    [("ar-EG", "Africa/Cairo"), ("de-DE", "Europe/Berlin"), ("en-GB", "Europe/London"),
     ("fa-IR", "Asia/Tehran"), ("fr-CA", "America/St_Johns"), ("ja-JP", "Asia/Tokyo"),
     ("pt-BR", "America/Sao_Paulo"), ("th-TH", "Asia/Bangkok")],
)  # fmt: skip
def test_times_that_arrive_read_as_the_locale_writes_them(
    stack: Stack, browser: Chrome, locale: str, timezone: str
) -> None:
    page = OpenPage(stack, browser, locale=locale, timezone=timezone)
    page.open()
    page.take(
        posted("u1", at="2026-03-29T00:59:59.123456Z"), posted("u2", at="2025-12-31T23:30:05Z"),
        corrected("u1", at="2026-10-25T01:01:01Z"),
    )  # fmt: skip
    followed = page.html()
    page.open()
    assert followed == page.html()


def test_a_kill_takes_the_article_from_an_open_page_and_its_note_stands_there(
    page: OpenPage,
) -> None:
    page.file(posted("u1", "A name that must go."))
    page.open()
    page.file(killed("Legal advice."))
    until_sync(lambda: "Withdrawn" in page.text("main h1"), LIMIT)
    assert "Legal advice." in page.text("main")
    assert "A name that must go." not in page.browser.page_source
    followed = page.text("main")
    page.browser.refresh()
    assert followed in page.text("main")


def test_without_javascript_the_page_is_complete(stack: Stack, scriptless: Chrome) -> None:
    page = OpenPage(stack, scriptless, headline="No scripts", body="## Part\n\nThe lede.")
    page.file(posted("u1", "Posted."), posted("u2", "Gone."))
    page.file(corrected("u1", "Corrected text."), retracted("u2", "It was untrue."))
    stack.page(page.slug, page.version)
    scriptless.get(stack.deliver + page.path)
    shown = page.text("body")
    for words in (
        "No scripts", "Published:", "Updated:", "1 update", "1 min read", "every 10 minutes",
        "Part", "The lede.", "Corrected text.", "They were lorries.", "It was untrue.",
        "Back to all articles", "Latest News",
    ):  # fmt: skip
        assert words in shown
    assert "Gone." not in scriptless.page_source
    assert scriptless.find_elements(By.CSS_SELECTOR, "noscript meta[http-equiv=refresh]")


def test_citations_lead_to_their_sources_and_back_also_those_that_arrive(
    stack: Stack, browser: Chrome
) -> None:
    # Given two updates that give one number to different sources, the second in an open page
    page = OpenPage(stack, browser, headline="Cited", body="Known before [8]. Not [9].")
    page.file(posted("u1", "First [8], [8], [9].", sources=[CITED[1]]))
    page.open()
    page.take(posted("u2", "Second [8].", sources=[{"n": 8, "url": "https://example.org/other"}]))

    # Then each leads to its own, and from there back
    for update, address in (("u1", CITED[1]["url"]), ("u2", "https://example.org/other")):
        marker = f"#u-{update} .cite"
        page.click(marker)
        source = page.run("return document.querySelector(':target a').href")
        assert source == address
        page.click(":target [role=doc-backlink]")
        assert page.run("return document.querySelector(':target').textContent") == "[8]"
        home = "return document.querySelector(':target').closest('.update').id"
        assert page.run(home) == f"u-{update}"
    # and the body to the first, where one has the number
    cites = "return [...document.querySelectorAll('#body .cite')].map((link) => link.hash)"
    assert page.run(cites) == ["#s8-u1"]
    ids = page.run("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))


def test_a_list_of_corrections_that_is_open_is_kept_current_and_goes_with_a_kill(
    page: OpenPage,
) -> None:
    page.file(posted("u1"), posted("u2"), corrected("u1", note="Once."))
    page.open("/corrections")
    assert "Once." in page.text("#all-corrections")
    page.file(corrected("u1", note="Twice."))
    until_sync(lambda: "Twice." in page.text("#all-corrections"), LIMIT)
    page.file(killed("Legal advice."))
    until_sync(lambda: "Withdrawn" in page.text("main h1"), LIMIT)
    assert "Twice." not in page.browser.page_source


HOSTILE = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "[click](javascript:window.hacked=1)",
    '"><svg onload=window.hacked=1>',
    "{{ 7 * 7 }}{% raw %}",
)


def test_markup_that_a_publisher_may_not_use_does_nothing(stack: Stack, browser: Chrome) -> None:
    # Given hostile text in every field that a page shows
    bad = "".join(HOSTILE)
    page = OpenPage(stack, browser, headline=bad, body=bad, summary=bad, authors=[bad])
    page.file(posted("u1", bad, headline=bad))
    page.open()

    # When more of it arrives in the open page
    page.file(posted("u2", bad, headline=bad), corrected("u1", bad, bad), writethru(body=bad))
    page.caught_up()

    # Then it is text
    assert browser.execute_script("return window.hacked") is None
    assert page.text("#u-u2 h4") == bad
    script = "return document.querySelectorAll('main script, main svg, main [onerror]').length"
    assert browser.execute_script(script) == 0
    assert not browser.find_elements(By.CSS_SELECTOR, "main a[href^=javascript]")
    assert "{{ 7 * 7 }}" in page.text("#u-u2")


def test_a_long_coverage_whose_newest_stand_first_grows_at_its_top(
    stack: Stack, browser: Chrome
) -> None:
    page = OpenPage(stack, browser, headline="Long", body="Long.", update_order="newest-first")
    page.file(*(posted(f"u{n}", f"Update number {n}.") for n in range(1, 74)))
    page.open()
    page.take(posted("u74"), corrected("u1"), pinned("u2"))
    assert page.updates() == ["u2", *(f"u{n}" for n in range(74, 23, -1))]
    page.take(unpinned("u2"), retracted("u50"))
    assert page.updates() == [f"u{n}" for n in range(74, 23, -1)]


def test_a_long_coverage_shows_its_newest_fifty_and_links_to_the_rest(
    stack: Stack, browser: Chrome
) -> None:
    page = OpenPage(stack, browser, headline="Long", body="Long.")
    page.file(*(posted(f"u{n}", f"Update number {n}.") for n in range(1, 74)))
    page.open()
    assert page.updates() == [f"u{n}" for n in range(24, 74)]
    page.file(posted("u74", "The newest."), corrected("u1", "On an earlier page."))
    page.caught_up()
    assert page.updates() == [f"u{n}" for n in range(24, 75)]
    page.file(pinned("u2"))
    page.caught_up()
    assert page.updates() == ["u2", *(f"u{n}" for n in range(24, 75))]
    page.file(unpinned("u2"))
    page.caught_up()
    assert page.updates() == [f"u{n}" for n in range(24, 75)]

    # One that stands where the newest fifty begin stays, pinned or not
    page.take(pinned("u25"))
    page.take(unpinned("u25"))
    assert page.updates() == [f"u{n}" for n in range(24, 75)]
    page.open()
    page.take(pinned("u25"), pinned("u30"), unpinned("u30"))
    assert page.updates() == [f"u{n}" for n in range(25, 75)]
    browser.find_element(By.LINK_TEXT, "1").click()
    assert page.updates() == [f"u{n}" for n in range(1, 51)]
    assert "On an earlier page." in page.text("#u-u1")
