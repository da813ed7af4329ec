"""Nobody is shut out: assistive software, keyboards, small screens, zoom, print, tastes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from tests.browser import stories
from tests.browser.chromium import as_usual, media, screen
from tests.browser.open_page import OpenPage
from tests.builders import closed, killed, posted
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser

AXE = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
#: WCAG 2.2's rules and axe's best practices, on what this page shows. Pictures from elsewhere don't
#: load here, and what stands on them can't be judged.
RUN_AXE = """
    const done = arguments[0];
    axe.run(document, { resultTypes: ["violations"] }).then(
      ({ violations }) => done(violations.map(({ id, nodes }) => [id, nodes.map((n) => n.html)])),
      (error) => done([[String(error), []]]),
    );
"""

PAGES = (
    "every kind", "bad day", "right to left", "empty", "ended", "corrections", "updates", "latest",
    "killed", "missing", "version", "comparison", "right to left compared",
)  # fmt: skip


@pytest.fixture(scope="session")
def addresses(stack: Stack, _chrome: Chrome) -> dict[str, str]:
    """Return the address of each kind of page."""
    told = {
        "every kind": stories.every_kind(),
        "bad day": stories.bad_day(),
        "right to left": stories.right_to_left(),
        "empty": stories.every_kind()[:1],
        "ended": [*stories.every_kind(), closed(note="The ferries sail again.")],
        "updates": stories.long_coverage(120),
        "killed": [*stories.every_kind(), killed()],
    }
    pages = {name: _filed(stack, _chrome, events) for name, events in told.items()}
    return {name: page.path for name, page in pages.items()} | {
        "updates": f"{pages['updates'].path}/pages/2",
        "corrections": f"{pages['every kind'].path}/corrections",
        "version": f"{pages['every kind'].path}/versions/4",
        "comparison": f"{pages['every kind'].path}/versions/2..{pages['every kind'].version}",
        "right to left compared": f"{pages['right to left'].path}/versions/1..3",
        "latest": "/",
        "missing": "/articles/nowhere",
    }


def _filed(stack: Stack, browser: Chrome, events: stories.Events) -> OpenPage:
    page = OpenPage(stack, browser, **events[0]["data"])
    if events[1:]:
        page.file(*events[1:])
    if not events[-1]["type"].endswith("killed"):
        stack.page(page.slug, page.version)
    else:
        until_sync(lambda: stack.get(page.path).status_code == 410)
    return page


@pytest.fixture
def reader(browser: Chrome) -> Iterator[Chrome]:
    yield browser
    as_usual(browser)
    browser.get("about:blank")
    browser.get_log("browser")  # a page that is not there is no complaint here


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_wrong(
    stack: Stack, reader: Chrome, addresses: dict[str, str], name: str, scheme: str
) -> None:
    for width in (360, 1280):
        screen(reader, width)
        media(reader, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        reader.get(stack.deliver + addresses[name])
        reader.execute_script(AXE)
        assert reader.execute_async_script(RUN_AXE) == []


def test_axe_finds_nothing_wrong_with_what_arrives(stack: Stack, reader: Chrome) -> None:
    events = stories.every_kind()
    page = OpenPage(stack, reader, **events[0]["data"])
    screen(reader, 360)
    page.open()
    for at in range(1, len(events)):
        page.take(events[at])
    page.take(posted("n1"))
    assert page.shows("#toast")
    reader.execute_script(AXE)
    assert reader.execute_async_script(RUN_AXE) == []


#: 320 is a screen of 1,280 at 400 % (WCAG 1.4.10), 640 one at 200 %.
@pytest.mark.parametrize("width", [320, 360, 640, 768, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_has_to_be_scrolled_sideways(
    stack: Stack, reader: Chrome, addresses: dict[str, str], name: str, width: int
) -> None:
    screen(reader, width)
    reader.get(stack.deliver + addresses[name])
    script = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, room = reader.execute_script(script)
    assert wide <= room


#: WCAG 2.5.8: what one touches has 24 by 24 pixels, or stands in a line of text, or alone.
SMALL = """
    return [...document.querySelectorAll("button, summary, nav a, #toast")].filter((each) => {
      const { width, height } = each.getBoundingClientRect();
      return each.checkVisibility() && (width < 20 || height < 24);
    }).map((each) => each.outerHTML);
"""


@pytest.mark.parametrize("name", ["every kind", "updates", "latest"])
def test_what_one_touches_is_large_enough(
    stack: Stack, reader: Chrome, addresses: dict[str, str], name: str
) -> None:
    screen(reader, 360)
    reader.get(stack.deliver + addresses[name])
    assert reader.execute_script(SMALL) == []


def test_the_keyboard_reaches_the_updates_at_once_and_shows_where_it_is(
    stack: Stack, reader: Chrome, addresses: dict[str, str]
) -> None:
    reader.get(stack.deliver + addresses["every kind"])
    _press(reader, Keys.TAB)
    assert _focus(reader, "textContent") == "Skip to the updates"
    assert _focus(reader, "getBoundingClientRect().width") > 50
    _press(reader, Keys.ENTER)
    _press(reader, Keys.TAB)
    assert _focus(reader, "closest('#updates')")
    assert _style(reader, "document.activeElement", "outlineStyle") == "solid"


def test_a_paragraph_can_be_read_without_a_click_and_folded_by_keyboard_to_its_teaser(
    stack: Stack, reader: Chrome, addresses: dict[str, str]
) -> None:
    page = OpenPage(stack, reader, headline="A", body="The paragraph is longer than sixty: " * 4)
    page.open()
    assert page.text("#body").startswith("The paragraph is longer")
    assert page.text("#body").count("The paragraph") >= 4
    page.run("document.querySelector('summary').focus()")
    _press(reader, Keys.ENTER)
    assert page.text("#body") == "The paragraph is longer than sixty: The paragraph is longer ..."


def test_emoji_are_there_to_be_seen_but_not_to_be_spoken(
    stack: Stack, reader: Chrome, addresses: dict[str, str]
) -> None:
    reader.get(stack.deliver + addresses["every kind"])
    script = """
        const article = document.querySelector("main");
        const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
        const found = [];
        while (walker.nextNode()) {
          const { data, parentElement } = walker.currentNode;
          if (/\\p{Extended_Pictographic}/u.test(data) && !parentElement.closest("[aria-hidden]")) {
            found.push(data);
          }
        }
        return [found, article.innerText];
    """
    spoken, seen = reader.execute_script(script)
    assert spoken == []
    assert all(mark in seen for mark in "📅🔄📊⏱📱📌✏🚫")


def test_the_reader_s_own_colours_and_wish_for_rest_are_respected(
    stack: Stack, reader: Chrome, addresses: dict[str, str]
) -> None:
    reader.get(stack.deliver + addresses["every kind"])
    light = _style(reader, "document.body", "backgroundColor")
    moving = "return document.getAnimations().length"
    assert light == "rgb(255, 255, 255)"
    assert reader.execute_script(moving) > 0
    media(reader, prefers_color_scheme="dark", prefers_reduced_motion="reduce")
    assert _style(reader, "document.body", "backgroundColor") == "rgb(18, 20, 24)"
    until_sync(lambda: reader.execute_script(moving) == 0)


def test_print_has_the_story_its_sources_and_nothing_to_click(
    stack: Stack, reader: Chrome, addresses: dict[str, str]
) -> None:
    reader.get(stack.deliver + addresses["every kind"])
    reader.execute_script("document.querySelector('details').open = false")
    media(reader, "print", prefers_color_scheme="dark")
    script = (
        "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())"
    )

    def shown(selector: str) -> list[Any]:
        return list(reader.execute_script(script, selector))

    for selector in ("h1", ".facts time", "details > div", ".copy", ".sources a", ".corrected"):
        assert shown(selector), selector
    assert not shown("button, summary, footer, #toast, .ago, .skip")
    assert _style(reader, "document.body", "color") == "rgb(0, 0, 0)"
    after = "return getComputedStyle(document.querySelector('.sources ol a'), '::after').content"
    assert "https://example.org/port/notice" in reader.execute_script(after)
    paper = reader.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert paper


def test_without_javascript_nothing_is_there_that_needs_it(
    stack: Stack, scriptless: Chrome, addresses: dict[str, str]
) -> None:
    for name in ("every kind", "latest"):
        scriptless.get(stack.deliver + addresses[name])
        found = scriptless.find_elements(By.CSS_SELECTOR, "button, #toast")
        assert found
        assert not any(element.is_displayed() for element in found)


def _press(browser: Chrome, key: str) -> None:
    ActionChains(browser).send_keys(key).perform()


def _focus(browser: Chrome, what: str) -> Any:
    return browser.execute_script(f"return document.activeElement.{what}")


def _style(browser: Chrome, element: str, name: str) -> Any:
    return browser.execute_script(f"return getComputedStyle({element}).{name}")
