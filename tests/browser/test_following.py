"""An open page goes on getting changes whatever happens to its line, its tab and its machine.

Where a page waits for a while, its clock is hurried; nothing here sleeps.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import hidden, hurried, offline, waits_noted
from tests.browser.line import Line, Streams
from tests.browser.open_page import LIMIT, OpenPage
from tests.builders import closed, corrected, killed, posted, reopened, retracted, writethru
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser

#: Longer than the longest silence on a line that works, in milliseconds.
LONG = 50_000


@pytest.fixture
def page(stack: Stack, browser: Chrome) -> Iterator[OpenPage]:
    page = OpenPage(stack, browser, headline="Trams stop", body="No tram runs.")
    page.file(posted("u1"))
    yield page
    browser.get("about:blank")
    browser.get_log("browser")  # that a line was lost is no complaint


@pytest.fixture
def line(stack: Stack) -> Iterator[Line]:
    with Line(stack.deliver).working() as line:
        yield line


@pytest.mark.parametrize("streams", ["refused", "held", "silent"])
def test_where_no_stream_comes_through_the_page_asks_instead(
    page: OpenPage, line: Line, streams: Streams
) -> None:
    # Given a page whose stream is refused, gathered by a proxy, or dead after its first words
    line.streams = streams
    with hurried(page.browser, 20):
        page.open(at=line.address)

    # When something happens
    page.file(posted("u2"), corrected("u1"))

    # Then the page has it, and says that it is live
    page.caught_up()
    assert page.updates() == ["u1", "u2"]
    assert line.asked["changes"] >= 1
    assert page.state() == "Live"


def test_a_stream_that_falls_silent_is_given_up_for_a_new_one(page: OpenPage, line: Line) -> None:
    line.streams = "silent"
    with hurried(page.browser, 20):
        page.open(at=line.address)
    until_sync(lambda: line.asked.get("live", 0) == 1 and line.open == 1)
    line.streams = "pass"
    until_sync(lambda: line.asked["live"] > 1, LIMIT)
    page.take(posted("u2"))


def test_a_page_that_was_offline_during_a_kill_shows_the_withdrawal_when_it_is_back(
    page: OpenPage,
) -> None:
    page.open()
    with offline(page.browser):
        until_sync(lambda: page.state() == "Offline", LIMIT)
        page.file(posted("u2", "A name."), killed("A court has ordered it."))
    until_sync(lambda: page.text("main h1") == "Withdrawn", LIMIT)
    assert "A court has ordered it." in page.text("main")
    assert "No tram runs." not in page.browser.page_source


def test_a_page_that_was_offline_says_so_and_misses_nothing(page: OpenPage) -> None:
    page.open()
    with offline(page.browser):
        until_sync(lambda: page.state() == "Offline", LIMIT)
        page.file(posted("u2"), retracted("u1"))
    page.caught_up()
    assert page.state() == "Live"
    assert "Retracted" in page.text("#u-u1")


def test_a_page_is_back_at_once_when_its_network_is(page: OpenPage) -> None:
    # Given a page that would wait for minutes before it tried again
    with hurried(page.browser, 0.01):
        page.open()
    with offline(page.browser):
        page.file(posted("u2"))
        until_sync(lambda: page.browser.get_log("browser"), LIMIT)  # it has tried
    page.caught_up()


def test_a_page_that_slept_catches_up_when_it_wakes(page: OpenPage) -> None:
    page.open()
    with hidden(page.browser):
        _life(page, "frozen")
        page.file(posted("u2"))
        _life(page, "active")
    page.caught_up()


def test_a_page_that_one_comes_back_to_catches_up(page: OpenPage) -> None:
    page.open()
    page.browser.get(f"{page.stack.deliver}/robots.txt")
    page.file(posted("u2"), corrected("u1"))
    page.browser.back()
    until_sync(lambda: page.cursor().startswith(f"{page.version}."), LIMIT)
    assert "Corrected" in page.text("#u-u1")


def test_a_page_that_one_comes_back_to_after_a_kill_shows_the_withdrawal(page: OpenPage) -> None:
    page.open()
    page.browser.get(f"{page.stack.deliver}/robots.txt")
    page.file(killed())
    page.browser.back()
    until_sync(lambda: page.text("main h1") == "Withdrawn", LIMIT)


def test_a_hidden_tab_lets_go_of_its_stream_and_asks_now_and_then(
    page: OpenPage, line: Line
) -> None:
    # Given a page that has its stream
    with hurried(page.browser, 100, least=LONG):
        page.open(at=line.address)
    until_sync(lambda: line.open == 1)

    # When nobody sees it for longer than a minute
    with hidden(page.browser):
        until_sync(lambda: line.open == 0, LIMIT)
        streams = line.asked["live"]
        page.file(posted("u2"))

        # Then it learns of changes, and its title tells of them, without a stream
        page.caught_up()
        until_sync(lambda: page.browser.title == "(1) Trams stop")
        assert line.asked["live"] == streams

    # And it has a stream again when it is seen
    until_sync(lambda: line.open == 1, LIMIT)
    assert page.browser.title == "Trams stop"


def test_after_the_end_of_a_coverage_its_stream_is_not_renewed_but_news_still_arrive(
    page: OpenPage, line: Line
) -> None:
    # Given a page whose coverage ends while it streams
    with hurried(page.browser, 100, least=LONG):
        page.open(at=line.address)
    until_sync(lambda: line.open == 1)
    page.take(closed())
    assert page.state() == "Ended"
    assert page.text("#promise") == "🏁 Live updates have ended"

    # When its stream ends too
    streams = line.asked["live"]
    line.cut()

    # Then corrections arrive without one, and a reopening brings it back
    page.take(corrected("u1"))
    assert line.asked["live"] == streams
    page.take(reopened())
    until_sync(lambda: line.open == 1, LIMIT)
    assert page.state() == "Live"
    page.take(posted("u2"))


def test_a_kill_after_the_end_reaches_a_page_without_a_stream(page: OpenPage, line: Line) -> None:
    with hurried(page.browser, 100, least=LONG):
        page.open(at=line.address)
    page.take(closed())
    line.cut()
    page.file(killed())
    until_sync(lambda: page.text("main h1") == "Withdrawn", LIMIT)


def test_a_new_zone_makes_the_page_load_itself_anew(page: OpenPage) -> None:
    page.open()
    page.file(writethru(timezone="Asia/Tokyo", locale="ja-JP"))
    until_sync(lambda: page.cursor().startswith(f"{page.version}."), LIMIT)
    assert page.run("return document.documentElement.lang") == "ja-JP"


def test_a_page_that_is_told_to_start_over_again_and_again_does_not_reload_in_circles(
    page: OpenPage, line: Line
) -> None:
    # Given a line that sends every reader away, and says the same to whoever comes back
    line.streams = "reset"
    with waits_noted(page.browser):
        page.open(at=line.address)

        # When the page has been loaded anew, in vain
        until_sync(lambda: line.asked.get("live", 0) == 2, LIMIT)

        # Then it waits before it tries again
        until_sync(lambda: 30_000 in page.run("return window.waits"), LIMIT)
    assert line.asked[page.slug] == 2


def test_the_headline_of_a_killed_article_leaves_the_foot_of_other_pages(
    page: OpenPage, line: Line
) -> None:
    # Given a page with the headline of another article at its foot
    other = OpenPage(page.stack, page.browser, headline="A name that must go")
    until_sync(lambda: "A name that must go" in page.stack.get(page.path).text)
    page.open(at=line.address)
    assert "A name that must go" in page.text("footer")
    until_sync(lambda: line.open == 1)

    # When that is killed, and the page's stream begins anew
    other.file(killed())
    until_sync(lambda: page.stack.get(other.path).status_code == HTTPStatus.GONE)
    line.cut()

    # Then it is not at the foot any more
    until_sync(lambda: "A name that must go" not in page.browser.page_source, LIMIT)


def test_what_a_page_can_t_take_makes_it_load_itself_anew(page: OpenPage) -> None:
    page.open()
    page.run("document.createElement = () => { throw new TypeError('no such element'); }")
    page.file(posted("u2"))
    until_sync(lambda: page.cursor().startswith(f"{page.version}."), LIMIT)
    assert page.updates() == ["u1", "u2"]
    assert not page.run("return window.loadedOnce")


def test_nothing_is_missed_when_deliver_dies_and_comes_back(page: OpenPage) -> None:
    page.open()
    os.kill(page.stack.pid_of("services.deliver"), signal.SIGKILL)
    page.file(posted("u2", "Filed while readers had nobody."), corrected("u1"))
    page.caught_up()
    assert page.updates() == ["u1", "u2"]
    assert "Corrected" in page.text("#u-u1")


def test_who_pauses_is_left_alone_but_for_a_kill_and_gets_all_on_resuming(page: OpenPage) -> None:
    # Given a reader who has paused
    page.open()
    page.run(
        "const read = JSON.parse; JSON.parse = (text) => { window.heard = 1; return read(text) }"
    )
    page.click("#pause")
    assert page.state() == "Paused"

    # When something happens, which the page has heard of
    page.file(posted("u2"))
    until_sync(lambda: page.run("return window.heard"))
    assert page.updates() == ["u1"]

    # Then it comes when the reader resumes
    page.click("#pause")
    page.caught_up()
    assert page.updates() == ["u1", "u2"]

    # And a kill does not wait for that
    page.click("#pause")
    page.file(killed())
    until_sync(lambda: page.text("main h1") == "Withdrawn", LIMIT)


def test_a_page_of_earlier_updates_takes_what_happens_to_them(
    stack: Stack, browser: Chrome
) -> None:
    page = OpenPage(stack, browser, headline="Long", body="Long.")
    page.file(*(posted(f"u{n}") for n in range(1, 73)))
    page.open("/pages/1")
    page.take(corrected("u3"), retracted("u9"), posted("u73"), writethru(headline="Longer"))
    assert "Corrected" in page.text("#u-u3")
    assert "Retracted" in page.text("#u-u9")
    assert page.updates() == [f"u{n}" for n in range(1, 51)]
    followed = page.html()
    page.open("/pages/1")
    assert page.html() == followed
    page.file(killed())
    until_sync(lambda: page.text("main h1") == "Withdrawn", LIMIT)


def _life(page: OpenPage, state: str) -> None:
    page.browser.execute_cdp_cmd("Page.setWebLifecycleState", {"state": state})
