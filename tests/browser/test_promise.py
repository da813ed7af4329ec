"""What a page says of its cadence: the promise, and once that is broken, since when.

The reader's clock is put forward; nothing here waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from shared.article.dates import rfc3339
from shared.runtime.clock import now
from tests.browser.open_page import LIMIT, OpenPage
from tests.builders import closed, posted, writethru
from tests.stack import Stack
from tests.waiting import until_sync

pytestmark = pytest.mark.browser

PROMISE = "📱 This article updates automatically every 10 minutes with breaking developments"

_PUT_FORWARD = """
    const now = Date.now;
    Date.now = () => now() + arguments[0] * 60000;
    document.dispatchEvent(new Event("visibilitychange"));
"""
#: What a screen reader would be told of by itself.
_ANNOUNCED = """
    const heard = document.querySelector("#promise").closest("[aria-live], [role=status]");
    return [heard?.id || "", document.querySelector("#news").textContent];
"""


@pytest.fixture
def page(stack: Stack, browser: Chrome) -> Iterator[OpenPage]:
    page = OpenPage(stack, browser, headline="Trams stop", body="No tram runs.")
    page.file(posted("u1", at=rfc3339(now())))
    yield page
    browser.get("about:blank")
    browser.get_log("browser")


def says(page: OpenPage, said: str) -> None:
    until_sync(lambda: page.text("#promise") == said, LIMIT)


def test_a_promise_that_is_broken_gives_way_to_the_last_change_until_there_is_news(page):
    # given an open page of an article that was just updated
    page.open()
    says(page, PROMISE)
    # when time goes by without news
    page.run(_PUT_FORWARD, 19)
    says(page, PROMISE)
    for minutes, said in [(6, "25 minutes"), (36, "1 hour"), (120, "3 hours"), (2_880, "2 days")]:
        page.run(_PUT_FORWARD, minutes)
        # then it says so, and nothing of it is spoken
        says(page, f"Last update {said} ago")
        assert page.run(_ANNOUNCED) == ["", ""]
    # and when there is news, it promises again; by the reader's clock that is news of today
    news = rfc3339(now().replace(microsecond=0))
    page.run("const now = Date.now; Date.now = () => now() - arguments[0] * 60000", 3_060)
    page.take(posted("u2", at=news))
    says(page, PROMISE)


def test_a_page_is_honest_from_the_start_and_follows_what_is_promised(page):
    # given an article without news for long
    page.file(writethru(cadence_seconds=60, at="2026-01-01T00:00:00Z"))
    page.open()
    page.run(_PUT_FORWARD, 3)
    says(page, "Last update 3 minutes ago")
    # when another cadence is set, then that is what it is measured by
    page.take(writethru(cadence_seconds=7_200, at="2026-01-01T00:00:00Z"))
    says(page, PROMISE.replace("10 minutes", "2 hours"))
    # when it closes, or promises nothing
    page.take(writethru(cadence_seconds=None, at="2026-01-01T00:00:00Z"))
    says(page, "")
    page.take(closed())
    says(page, "🏁 Live updates have ended")


def test_without_a_script_the_line_stays_as_it_is(stack: Stack, scriptless: Chrome) -> None:
    page = OpenPage(stack, scriptless, headline="Trams stop", body="No tram runs.")
    page.stack.page(page.slug, page.version)
    scriptless.get(stack.deliver + page.path)
    assert scriptless.find_element("id", "promise").text == PROMISE
