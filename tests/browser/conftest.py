"""One stack and one Chromium for all tests of this folder; each test has articles of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from tests.browser.chromium import as_usual, chromium
from tests.stack import Stack, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def _chrome() -> Iterator[Chrome]:
    chrome = chromium()
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def scriptless() -> Iterator[Chrome]:
    """A browser in which JavaScript is off."""
    chrome = chromium(script=False)
    yield chrome
    chrome.quit()


@pytest.fixture
def browser(_chrome: Chrome) -> Iterator[Chrome]:
    """A browser that must have had nothing to complain of when the test ends."""
    _chrome.get_log("browser")
    yield _chrome
    assert _complaints(_chrome) == []
    as_usual(_chrome)
    _chrome.get("about:blank")


def _complaints(chrome: Chrome) -> list[str]:
    """Return what the console says but for what a test without an outside has to bear."""
    lines = [entry["message"] for entry in chrome.get_log("browser")]
    borne = ("410", "ERR_NAME_NOT_RESOLVED")
    return [line for line in lines if not any(each in line for each in borne)]
