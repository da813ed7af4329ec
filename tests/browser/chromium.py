"""Debian's Chromium, headless, and what its debugging protocol can pretend."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

#: Nothing that calls home, and nothing that needs a screen.
_ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip


def chromium(*, script: bool = True) -> Chrome:
    """Return a browser; without *script*, one in which JavaScript is off."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not script:
        setting = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", setting)
    return Chrome(options, ChromeService(shutil.which("chromedriver")))


def screen(browser: Chrome, width: int, height: int = 800) -> None:
    """Give the page a screen of that size, in CSS pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def media(browser: Chrome, kind: str = "", **features: str) -> None:
    """Pretend a medium (``print``) and what a reader prefers (`prefers_color_scheme="dark"`)."""
    wanted = [{"name": n.replace("_", "-"), "value": value} for n, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": wanted})


@contextmanager
def hurried(browser: Chrome, times: float, *, least: int = 0) -> Iterator[None]:
    """Let the clock of pages that are loaded meanwhile run *times* as fast.

    Waits of fewer than *least* milliseconds last as long as they do.
    """
    script = f"""
      const [later, often, now, start] = [setTimeout, setInterval, Date.now, Date.now()];
      const short = (wait) => wait / (wait < {least} ? 1 : {times});
      window.setTimeout = (act, wait, ...rest) => later(act, short(wait), ...rest);
      window.setInterval = (act, wait, ...rest) => often(act, short(wait), ...rest);
      Date.now = () => start + (now() - start) * {times};
    """
    with _first_running(browser, script):
        yield


@contextmanager
def waits_noted(browser: Chrome) -> Iterator[None]:
    """Let pages that are loaded meanwhile note in `waits` how long they set out to wait."""
    script = """
      const later = setTimeout;
      window.waits = [];
      window.setTimeout = (act, wait, ...rest) => later(act, wait, ...rest, waits.push(wait));
    """
    with _first_running(browser, script):
        yield


@contextmanager
def _first_running(browser: Chrome, script: str) -> Iterator[None]:
    source = {"source": f"{{ {script} }}"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    yield
    browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


@contextmanager
def hidden(browser: Chrome) -> Iterator[None]:
    """Put the page where nobody sees it."""
    browser.minimize_window()
    yield
    browser.set_window_rect(0, 0, 1280, 900)


@contextmanager
def offline(browser: Chrome) -> Iterator[None]:
    """Cut the browser off."""
    browser.execute_cdp_cmd("Network.enable", {})
    _network(browser, offline=True)
    yield
    _network(browser, offline=False)
    browser.execute_cdp_cmd("Network.disable", {})


def _network(browser: Chrome, *, offline: bool) -> None:
    speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": offline, **speed})


def as_usual(browser: Chrome) -> None:
    """Pretend nothing any more."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    media(browser)


def photograph(browser: Chrome, path: Path, *, whole: bool = True) -> None:
    """Write the page as a PNG, *whole* or what is on the screen."""
    how: dict[str, Any] = {"format": "png", "captureBeyondViewport": whole}
    if whole:
        size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        how["clip"] = {**size, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", how)
    path.write_bytes(base64.b64decode(taken["data"]))
