"""Latest News keeps itself as it is on the server, without throwing anybody about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import hurried, offline, screen
from tests.browser.line import Line, Streams
from tests.browser.open_page import LIMIT, OpenPage
from tests.builders import closed, killed, posted, reopened, retracted, writethru
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser


class Front:
    """Latest News, open."""

    def __init__(self, stack: Stack, browser: Chrome) -> None:
        self.stack, self.browser = stack, browser

    def open(self, at: str = "", query: str = "") -> None:
        self.browser.get(f"{at or self.stack.deliver}/{query}")
        self.browser.execute_script("window.loadedOnce = true")

    def item(self, article: OpenPage) -> str:
        """Return what is said of *article*, state first; nothing if it is not there."""
        script = """
            const item = document.querySelector(`#a-${arguments[0]}`);
            return item ? `${item.className} ${item.innerText}` : "";
        """
        assert self.browser.execute_script("return window.loadedOnce")
        return str(self.browser.execute_script(script, article.slug))

    def first(self) -> str:
        script = "return document.querySelector('#coverages > li').id.slice(2)"
        return str(self.browser.execute_script(script))

    def html(self) -> str:
        return OpenPage.html(self)  # type: ignore[arg-type]

    def run(self, script: str) -> object:
        return self.browser.execute_script(script)

    def tells(self, article: OpenPage, *words: str) -> None:
        """Wait until all *words* are said of *article*."""
        until_sync(lambda: all(word in self.item(article) for word in words), LIMIT)


@pytest.fixture
def front(stack: Stack, browser: Chrome) -> Iterator[Front]:
    yield Front(stack, browser)
    browser.get("about:blank")
    browser.get_log("browser")  # that a line was lost is no complaint


@pytest.fixture
def article(stack: Stack, browser: Chrome) -> OpenPage:
    page = OpenPage(stack, browser, headline="Trams stop", body="No tram runs.")
    stack.page(page.slug, page.version)
    return page


def test_what_happens_to_coverages_shows_and_the_page_equals_one_loaded_afresh(
    front: Front, article: OpenPage, stack: Stack, browser: Chrome
) -> None:
    # Given an open front page
    front.open()
    front.tells(article, "live", "Trams stop", "0 updates")

    # When a coverage begins, moves on, gets another headline, ends
    other = OpenPage(stack, browser, headline="Ferries sail", body="They do.", locale="de-DE")
    front.tells(other, "live", "Ferries sail")
    assert front.first() == other.slug
    article.file(posted("u1"), posted("u2"))
    front.tells(article, "2 updates")
    assert front.first() == article.slug
    other.file(writethru(headline="Ferries sail again"), closed())
    front.tells(other, "closed", "Ferries sail again", "ENDED")

    # Then the page says so, as one does that was loaded now
    followed = front.html()
    front.open()
    assert front.html() == followed

    # And one that resumes is live again, and one that is killed is gone
    other.file(reopened())
    front.tells(other, "live")
    other.file(killed())
    until_sync(lambda: not front.item(other), LIMIT)


def test_what_changed_while_the_page_was_made_is_not_missed(
    front: Front, article: OpenPage, stack: Stack
) -> None:
    line = Line(stack.deliver)
    with line.working():
        # Given a page whose stream begins only after something has changed
        line.streams = "held"
        with hurried(front.browser, 20):
            front.open(line.address)
        article.file(posted("u1"))
        stack.page(article.slug, article.version)
        line.streams = "pass"
        front.tells(article, "1 update")


@pytest.mark.parametrize("streams", ["refused", "held", "silent"])
def test_where_no_stream_comes_through_the_list_is_asked_for(
    front: Front, article: OpenPage, stack: Stack, streams: Streams
) -> None:
    with Line(stack.deliver).working() as line:
        line.streams = streams
        with hurried(front.browser, 20):
            front.open(line.address)
        article.file(posted("u1"), posted("u2"), retracted("u1"))
        front.tells(article, "1 update")


def test_what_happened_while_it_was_offline_shows_when_it_is_back(
    front: Front, article: OpenPage
) -> None:
    front.open()
    front.tells(article, "0 updates")
    with offline(front.browser):
        article.file(posted("u1"))
    front.tells(article, "1 update")


def test_what_is_read_stays_where_it_is_while_others_move_past_it(
    front: Front, stack: Stack, browser: Chrome
) -> None:
    # Given somebody who has scrolled down the list
    articles = [OpenPage(stack, browser, headline=f"Story {n} " * 9) for n in range(12)]
    stack.page(articles[-1].slug, 1)
    screen(browser, 360, 500)
    front.open()
    until_sync(lambda: front.first() == articles[-1].slug)
    place = (
        "const item = document.querySelector('#a-%s'); if (!scrollY) item.scrollIntoView();"
        "if (scrollY && !window.read) { scrollBy(0, -150); window.read = 1 }"
        "return item.getBoundingClientRect().top"
    ).replace("%s", articles[4].slug)
    was = browser.execute_script(place)

    # When one from below moves to the top
    articles[1].file(posted("u1"))
    until_sync(lambda: front.first() == articles[1].slug, LIMIT)

    # Then what is read has not moved
    assert browser.execute_script(place) == pytest.approx(was, abs=1)


def test_a_further_page_keeps_what_it_has_as_it_is_now(
    front: Front, stack: Stack, browser: Chrome
) -> None:
    oldest = OpenPage(stack, browser, headline="The oldest")
    stack.page(oldest.slug, 1)
    newer = [OpenPage(stack, browser, headline=f"Story {n}") for n in range(50)]
    stack.page(newer[-1].slug, 1)
    until_sync(lambda: oldest.slug in stack.get("/?page=2").text, LIMIT)
    front.open(query="?page=2")
    oldest.file(writethru(headline="The oldest, still"))
    front.tells(oldest, "The oldest, still")
    oldest.file(killed())
    until_sync(lambda: not front.item(oldest), LIMIT)
