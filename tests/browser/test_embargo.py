"""An open page over an embargo: nothing of it before, and all of it in place after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from selenium.webdriver import Chrome

from tests.browser.open_page import OpenPage
from tests.builders import posted
from tests.stack import Stack

pytestmark = pytest.mark.browser


def test_an_open_page_shows_an_update_when_its_embargo_is_over(
    stack: Stack, browser: Chrome
) -> None:
    # Given an open page
    page = OpenPage(stack, browser, headline="Budget day", body="The budget comes at noon.")
    page.file(posted("u1", "The House fills."))
    page.open()

    # When an update under embargo is filed
    at = datetime.now(UTC) + timedelta(seconds=2)
    update = posted("u2", "Duty on beer falls.", embargo_until=at.isoformat())
    [receipt] = stack.file([{**update, "subject": page.slug}])
    assert receipt["status"] == "held"
    source, shown = page.browser.page_source, page.updates()
    assert datetime.now(UTC) < at, "it took too long to look"

    # Then the page has nothing of it, and when its time has come, it is there without a reload
    assert "Duty on beer" not in source
    assert shown == ["u1"]
    page.version += 1
    page.caught_up()
    assert datetime.now(UTC) >= at
    assert page.updates() == ["u1", "u2"]
    assert "Duty on beer falls." in page.text("#u-u2")
