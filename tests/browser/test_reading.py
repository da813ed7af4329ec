"""Whoever reads is not thrown about: what is read stays where it is, and what is new is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys

from tests.browser.chromium import hidden, hurried, screen
from tests.browser.open_page import LIMIT, OpenPage
from tests.builders import corrected, pinned, posted, retracted, revised, unpinned, writethru
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser

PARAGRAPH = "The tram stood at the lights for nine minutes, and then for nine more. " * 4
BODY = "\n\n".join(f"{n}: {PARAGRAPH}" for n in range(1, 9))
HIGHER = "More is known now than was known before. " * 12

#: The sum of all layout shifts from now on (https://wicg.github.io/layout-instability/). Chromium
#: counts a box, too, that grows above the screen while nothing in it moves; we don't.
WATCH_SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => {
      for (const { sources, value } of list.getEntries()) {
        const moved = sources.filter(({ node }) => !node?.matches?.("#body, #updates"));
        if (moved.length) window.shifted += value;
      }
    }).observe({ type: "layout-shift" });
"""
#: Two frames later all shifts have been counted.
SHIFTED = """
    const done = arguments[0];
    requestAnimationFrame(() => requestAnimationFrame(() => done(window.shifted)));
"""
TOP = "return document.querySelector(arguments[0]).getBoundingClientRect().top"


def story(stack: Stack, browser: Chrome, order: str) -> OpenPage:
    """Return a long article with thirty updates, not yet open."""
    page = OpenPage(
        stack, browser, headline="Trams stop", body=BODY, update_order=order, cadence_seconds=60
    )
    page.file(*(posted(f"u{n}", f"{n}: {PARAGRAPH}") for n in range(1, 31)))
    return page


def read(page: OpenPage, selector: str) -> float:
    """Scroll until what *selector* finds is what is read, and return where it is then."""
    page.run(
        "document.querySelector(arguments[0]).scrollIntoView({block: 'start'});"
        "scrollBy(0, -innerHeight / 3 + 10)", selector,
    )  # fmt: skip
    page.run(WATCH_SHIFTS)
    return float(page.run(TOP, selector))


def shifted(page: OpenPage) -> float:
    return float(page.browser.execute_async_script(SHIFTED))


Act = Callable[[], list[dict[str, Any]]]

#: What may happen above somebody who reads update 15, by the order of the updates.
ABOVE: dict[str, tuple[str, Act]] = {
    "a post": ("newest-first", lambda: [posted("n1", HIGHER)]),
    "three posts at once": ("newest-first", lambda: [posted(f"n{n}", HIGHER) for n in range(3)]),
    "a correction": ("oldest-first", lambda: [corrected("u3", HIGHER, HIGHER[:90])]),
    "a retraction": ("oldest-first", lambda: [retracted("u4")]),
    "a correction of the one before": ("oldest-first", lambda: [corrected("u14", HIGHER)]),
    "a pin": ("oldest-first", lambda: [pinned("u20")]),
    "a pin that goes": ("newest-first", lambda: [pinned("u2"), unpinned("u2")]),
    "a writethru": ("oldest-first", lambda: [writethru(body=BODY + HIGHER, note=HIGHER[:90])]),
    "a longer headline": ("newest-first", lambda: [writethru(headline=HIGHER[:200])]),
    "a key event": ("oldest-first", lambda: [posted("n1", HIGHER, key_event=True)]),
    "key events that were none": (
        "newest-first", lambda: [revised(f"u{n}", key_event=True) for n in (2, 5, 9)],
    ),
    "a correction of what is read": ("oldest-first", lambda: [corrected("u15", HIGHER)]),
    "a correction of what is read, newest first": (
        "newest-first", lambda: [corrected("u15", HIGHER), posted("n1", HIGHER)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ABOVE)
@pytest.mark.parametrize("width", [360, 1280])
def test_what_is_read_stays_where_it_is(
    stack: Stack, browser: Chrome, what: str, width: int
) -> None:
    # Given somebody who reads an update in the middle of the page
    order, act = ABOVE[what]
    page = story(stack, browser, order)
    screen(browser, width)
    page.open()
    place = read(page, "#u-u15")

    # When something happens above it
    page.take(*act())

    # Then it is where it was, and nothing else on the screen has jumped
    assert page.run(TOP, "#u-u15") == pytest.approx(place, abs=1)
    if "of what is read" not in what:
        assert shifted(page) == 0


@pytest.mark.parametrize("order", ["oldest-first", "newest-first"])
def test_a_paragraph_of_the_body_stays_where_it_is_while_the_copy_around_it_changes(
    stack: Stack, browser: Chrome, order: str
) -> None:
    page = story(stack, browser, order)
    screen(browser, 360)
    page.open()
    fifth = "#body > :nth-child(5)"
    place = read(page, fifth)
    words = page.text(fifth)
    page.take(writethru(body=f"A new lede. {HIGHER}\n\n{HIGHER}\n\n{BODY}", note="New."))
    moved = "#body > :nth-child(7)"
    assert page.text(moved) == words
    assert page.run(TOP, moved) == pytest.approx(place, abs=1)
    assert shifted(page) == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_a_source_that_is_looked_at_stays_where_it_is(
    stack: Stack, browser: Chrome, width: int
) -> None:
    # Given somebody who reads among the sources
    page = story(stack, browser, "oldest-first")
    page.file(*(
        posted(f"s{n}", f"{n} [1].", sources=[{"n": 1, "url": f"https://example.org/{n}"}])
        for n in range(9)
    ))  # fmt: skip
    screen(browser, width)
    page.open()
    place = read(page, "#from-s5")
    # When the lists above it grow
    page.take(posted("n1", HIGHER, key_event=True), corrected("u3", HIGHER), retracted("s2"))
    # Then it is where it was
    assert page.run(TOP, "#from-s5") == pytest.approx(place, abs=1)
    assert shifted(page) == 0


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_moves_while_a_page_is_loaded(stack: Stack, browser: Chrome, width: int) -> None:
    page = story(stack, browser, "oldest-first")
    screen(browser, width)
    page.open()
    page.run(WATCH_SHIFTS.replace('"layout-shift"', '"layout-shift", buffered: true'))
    assert shifted(page) == 0


def test_who_has_not_scrolled_and_sees_the_list_sees_what_is_new_at_its_top(
    stack: Stack, browser: Chrome
) -> None:
    page = OpenPage(stack, browser, headline="Short", body="Short.", update_order="newest-first")
    page.file(posted("u1"))
    page.open()
    page.take(posted("u2"))
    assert page.run("return scrollY") == 0
    assert page.updates() == ["u2", "u1"]
    assert not page.shows("#toast")
    assert browser.title == "Short"


def test_the_toast_counts_what_is_unseen_and_leads_to_the_first_of_it(
    stack: Stack, browser: Chrome
) -> None:
    # Given somebody who reads the body
    page = story(stack, browser, "oldest-first")
    screen(browser, 360, 640)
    page.open()
    read(page, "#body > :nth-child(3)")
    assert not page.shows("#toast")

    # When updates are posted, and one of them is corrected and another retracted
    page.take(posted("n1"))
    assert page.text("#toast") == "1 new update"
    page.take(posted("n2"), posted("n3"), corrected("n2"), corrected("u1"))
    page.take(corrected("n1"), retracted("n3"))

    # Then those are counted, once each, that are there to be read
    assert page.text("#toast") == "2 new updates"
    assert browser.title == "(2) Trams stop"

    # And the toast leads to the first, after which nothing is unseen
    page.click("#toast")
    until_sync(lambda: 0 <= page.run(TOP, "#u-n1") < 640)
    until_sync(lambda: not page.shows("#toast"))
    assert browser.title == "Trams stop"


def test_the_toast_leads_up_where_the_newest_stand_first(stack: Stack, browser: Chrome) -> None:
    page = story(stack, browser, "newest-first")
    screen(browser, 360, 640)
    page.open()
    read(page, "#u-u5")
    page.take(posted("n1"), posted("n2"))
    assert page.run("return document.querySelector('#toast').className") == "up"
    page.click("#toast")
    until_sync(lambda: 0 <= page.run(TOP, "#u-n2") < 640)


def test_updates_that_come_into_view_by_scrolling_are_seen(stack: Stack, browser: Chrome) -> None:
    page = story(stack, browser, "oldest-first")
    screen(browser, 360, 640)
    page.open()
    page.take(*(posted(f"n{n}", PARAGRAPH * 3) for n in (1, 2, 3)))
    for update, toast in (("n1", "2 new updates"), ("n2", "1 new update"), ("n3", "")):
        page.run(f"document.querySelector('#u-{update}').scrollIntoView()")
        until_sync(partial(_says, page, toast))


def _says(page: OpenPage, toast: str) -> bool:
    return page.text("#toast") == toast


def test_the_title_of_a_tab_that_nobody_sees_counts_what_is_new(
    stack: Stack, browser: Chrome
) -> None:
    page = OpenPage(stack, browser, headline="Trams stop", body="No tram runs.")
    page.open()
    with hidden(browser):
        page.take(posted("u1"), posted("u2"))
        assert browser.title == "(2) Trams stop"
    until_sync(lambda: browser.title == "Trams stop")


def test_news_is_told_politely_and_the_list_itself_is_not_live(
    stack: Stack, browser: Chrome
) -> None:
    page = OpenPage(stack, browser, headline="Trams stop", body="No tram runs.")
    page.open()
    assert page.run("return document.querySelector('#news').textContent") == ""
    page.take(posted("u1"), posted("u2"))
    assert page.run("return document.querySelector('#news').textContent") == "2 new updates"
    assert page.run("return document.querySelector('#news').getAttribute('role')") == "status"
    page.take(corrected("u1"))
    assert page.run("return document.querySelector('#news').textContent").endswith("changed")
    live = "return document.querySelector('#updates').closest('[aria-live], [role=status]')"
    assert page.run(live) is None


def test_the_age_of_an_update_ticks_without_moving_anything(stack: Stack, browser: Chrome) -> None:
    # Given a page on which a minute takes a second
    page = OpenPage(stack, browser, headline="Trams stop", body="No tram runs.")
    screen(browser, 360)
    with hurried(browser, 60):
        page.open()
    page.take(posted("u1"))
    shown = page.text("#u-u1 time")
    page.run(WATCH_SHIFTS)

    # When it grows old
    until_sync(lambda: page.text("#u-u1 .ago").startswith("3"), LIMIT)

    # Then the time itself is still there, and nothing has moved
    assert page.text("#u-u1 .ago").replace("\u00a0", " ") == "3 min ago"
    assert page.text("#u-u1 time") == shown
    assert shifted(page) == 0


def test_the_keyboard_keeps_its_place_when_what_it_is_on_changes(
    stack: Stack, browser: Chrome
) -> None:
    page = story(stack, browser, "oldest-first")
    page.open()
    page.run("document.querySelector('#u-u3 a').focus()")
    page.take(corrected("u3"))
    assert page.run("return document.activeElement.closest('article').id") == "u-u3"
    ActionChains(browser).send_keys(Keys.TAB).perform()
    assert page.run("return document.activeElement.closest('article').id") == "u-u4"


def test_a_paragraph_that_was_folded_stays_so_when_another_changes(
    stack: Stack, browser: Chrome
) -> None:
    page = story(stack, browser, "oldest-first")
    page.open()
    page.click("#body > :nth-child(2) > summary")
    assert page.text("#body > :nth-child(2)").endswith("...")
    page.take(writethru(body=BODY.replace("3:", "Third:")))
    assert page.run("return document.querySelectorAll('#body > [open]').length") == 7
