"""An article inside somebody else's page: shown as it is, kept current, and kept apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import media
from tests.browser.elsewhere import gazette
from tests.browser.open_page import LIMIT, OpenPage
from tests.browser.test_access import AXE, RUN_AXE
from tests.builders import corrected, killed, posted, retracted
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser

_IN = "const root = document.querySelectorAll('[data-writethru]')[arguments[0]].shadowRoot;"


class Embedded:
    """The article in the gazette's page."""

    def __init__(self, browser: Chrome, place: int = 0) -> None:
        self.browser = browser
        self.place = place

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(_IN + script, self.place, *arguments)

    def text(self) -> str:
        found = self.run("return root?.querySelector('#article')?.innerText ?? ''")
        return str(found)

    def style(self, selector: str, name: str) -> str:
        ask = "return getComputedStyle(root.querySelector(arguments[1]))[arguments[2]]"
        return str(self.run(ask, selector, name))

    def until(self, *words: str) -> None:
        until_sync(lambda: all(word in self.text() for word in words), LIMIT)


@pytest.fixture
def story(stack: Stack, browser: Chrome) -> Iterator[OpenPage]:
    story = OpenPage(stack, browser, headline="Ferries stop", body="No ferry sails.")
    story.file(posted("u1", "The pier is shut."))
    stack.page(story.slug, story.version)
    yield story
    browser.get("about:blank")


def one_tag(story: OpenPage, **data: str) -> str:
    more = "".join(f' data-{name}="{value}"' for name, value in data.items())
    script = f"{story.stack.deliver}/embed.js"
    return f'<script src="{script}" data-article="{story.slug}"{more} async></script>'


def test_one_tag_shows_an_article_that_keeps_itself_current(
    story: OpenPage, browser: Chrome
) -> None:
    with gazette(story.stack.deliver, {"/": one_tag(story)}) as address:
        # Given a page of another origin with the tag, and a strict policy
        browser.get(address)
        page = Embedded(browser)
        page.until("Ferries stop", "No ferry sails.", "The pier is shut.")

        # When the newsroom goes on, then the page has each act, without being loaded again
        story.file(posted("u2", "A second boat waits."))
        page.until("A second boat waits.")
        until_sync(
            lambda: (
                page.run("return root.querySelector('[role=status]').textContent") == "1 new update"
            ),
            LIMIT,
        )
        story.file(corrected("u1", "The pier is open.", note="It was not shut."))
        page.until("The pier is open.", "It was not shut.")
        assert "The pier is shut." not in page.text()
        story.file(retracted("u2", "There was no second boat."))
        page.until("There was no second boat.")
        assert "waits" not in page.text()
        story.file(killed("A court has ordered it."))
        page.until("Withdrawn", "A court has ordered it.")
        assert "pier" not in page.text()
        assert (
            browser.execute_script("return performance.getEntriesByType('navigation').length") == 1
        )


def test_neither_style_gets_at_the_other(story: OpenPage, browser: Chrome) -> None:
    with gazette(story.stack.deliver, {"/": one_tag(story)}) as address:
        browser.get(address)
        page = Embedded(browser)
        page.until("The pier is shut.")

        # Then what the page does to all it has is not done to ours
        assert page.style("#headline", "color") == "rgb(21, 23, 28)"
        assert page.style("#headline", "letterSpacing") in ("normal", "0px")
        assert page.style(".copy", "fontSize") == "18px"
        assert page.style(".copy", "textTransform") == "none"
        assert page.style(".copy", "direction") == "ltr"
        assert page.style(".update", "display") != "none"
        assert page.style(".update", "visibility") == "visible"
        assert page.style(".when a", "pointerEvents") == "auto"
        # And ours is not done to what the page has under the same names
        after = "return getComputedStyle(document.querySelector('#after'))"
        assert browser.execute_script(f"{after}.scrollMarginTop") == "0px"
        assert browser.execute_script(f"{after}.paddingTop") == "0px"


def test_a_reader_in_dark_and_a_page_that_wants_light_each_have_their_way(
    story: OpenPage, browser: Chrome
) -> None:
    pages = {"/": one_tag(story), "/light": one_tag(story, theme="light")}
    with gazette(story.stack.deliver, pages) as address:
        media(browser, prefers_color_scheme="dark")
        browser.get(address)
        page = Embedded(browser)
        page.until("The pier is shut.")
        assert page.style(".frame", "backgroundColor") == "rgb(18, 20, 24)"
        browser.get(f"{address}/light")
        page.until("The pier is shut.")
        assert page.style(".frame", "backgroundColor") == "rgb(255, 255, 255)"


def test_placeholders_are_filled_by_one_script_and_one_without_an_article_stays(
    story: OpenPage, browser: Chrome
) -> None:
    deliver = story.stack.deliver
    other = OpenPage(story.stack, browser, headline="Trams stop", body="No tram runs.")
    story.stack.page(other.slug, other.version)
    tags = (
        f'<div data-writethru="{story.slug}"><a href="/x">The ferries</a></div>'
        f'<div data-writethru="{other.slug}"></div>'
        f'<script src="{deliver}/embed.js" async></script>'
    )
    with gazette(deliver, {"/": tags}) as address:
        browser.get(address)
        Embedded(browser, 0).until("Ferries stop")
        Embedded(browser, 1).until("Trams stop")


def test_what_a_reader_folded_and_looks_at_stays_when_something_else_changes(
    story: OpenPage, browser: Chrome
) -> None:
    with gazette(story.stack.deliver, {"/": one_tag(story)}) as address:
        browser.get(address)
        page = Embedded(browser)
        page.until("The pier is shut.")
        page.run("root.querySelector('.update').mark = 1; root.querySelector('#body').mark = 1;")

        story.file(posted("u2", "A second boat waits."))
        page.until("A second boat waits.")

        assert (
            page.run("return root.querySelector('.update').mark + root.querySelector('#body').mark")
            == 2
        )


def test_links_lead_to_us_and_places_are_found_within(story: OpenPage, browser: Chrome) -> None:
    with gazette(story.stack.deliver, {"/": one_tag(story)}) as address:
        browser.get(address)
        page = Embedded(browser)
        page.until("The pier is shut.")

        links = page.run("return [...root.querySelectorAll('a')].map((each) => each.href)")

        assert links
        assert all(link.startswith(story.stack.deliver) for link in links if "#" not in link)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(story: OpenPage, browser: Chrome, scheme: str) -> None:
    story.file(corrected("u1"), posted("u2", "A second boat waits."), retracted("u2"))
    story.stack.page(story.slug, story.version)
    plain = "body { color-scheme: light dark; font: 1rem/1.5 serif; }"
    with gazette(story.stack.deliver, {"/": one_tag(story)}, plain) as address:
        media(browser, prefers_color_scheme=scheme)
        browser.get(address)
        Embedded(browser).until("Ferries stop", "It did not happen.")

        # axe looks into shadow roots; what the page around does is its own
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE})
        found = browser.execute_async_script(RUN_AXE)

    assert found == []
