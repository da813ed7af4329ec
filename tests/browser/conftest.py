"""One stack and one Chromium for all tests of this folder; each test has articles of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.stack import Stack, running

Browse = Callable[[str], Chrome]

#: Nothing that calls home, and nothing that needs a screen.
_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip


def _chromium(*, script: bool = True) -> Chrome:
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not script:
        setting = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", setting)
    return Chrome(options, ChromeService(shutil.which("chromedriver")))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def _chrome() -> Iterator[Chrome]:
    chrome = _chromium()
    yield chrome
    chrome.quit()


@pytest.fixture(scope="session")
def scriptless() -> Iterator[Chrome]:
    """A browser in which JavaScript is off."""
    chrome = _chromium(script=False)
    yield chrome
    chrome.quit()


@pytest.fixture
def browser(_chrome: Chrome) -> Iterator[Chrome]:
    """A browser that must have had nothing to complain of when the test ends."""
    _chrome.get_log("browser")
    yield _chrome
    assert _complaints(_chrome) == []
    _chrome.get("about:blank")


def _complaints(chrome: Chrome) -> list[str]:
    """Return what the console says but for what a test without an outside has to bear."""
    lines = [entry["message"] for entry in chrome.get_log("browser")]
    borne = ("favicon", "410", "ERR_NAME_NOT_RESOLVED")
    return [line for line in lines if not any(each in line for each in borne)]
