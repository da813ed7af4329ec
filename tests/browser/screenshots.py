"""`python -m tests.browser.screenshots DIR`: every kind of page as readers see it, for people to
look at. A tool, not a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium.webdriver import Chrome

from services.cli import coverage
from shared.article.dates import rfc3339
from shared.runtime.clock import now
from tests.browser import stories
from tests.browser.chromium import chromium, media, photograph, screen
from tests.browser.open_page import OpenPage
from tests.builders import closed, corrected, killed, posted
from tests.stack import Stack, running
from tests.waiting import until_sync

WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")


def story(stack: Stack, browser: Chrome, events: stories.Events) -> OpenPage:
    """File *events* as an article of its own."""
    page = OpenPage(stack, browser, **events[0]["data"])
    for at in range(1, len(events), 100):
        page.file(*events[at : at + 100])
    return page


def open_each(stack: Stack, browser: Chrome) -> Iterator[str]:
    """Open one page after the other, and yield the name of each."""
    sample = [{**event, "time": rfc3339(now())} for event in coverage.load()]
    before = story(stack, browser, stories.every_kind()[:5])
    before.open()
    yield "before"
    before.take(corrected("u1", "Talks begin at two.", "An earlier version gave the wrong time."))
    yield "after"
    every = stories.every_kind()
    for name, events in {
        "sample": [event for event in sample if not event["type"].endswith("closed")],
        "every-kind": every,
        "bad-day": stories.bad_day(),
        "right-to-left": stories.right_to_left(),
        "empty": every[:1],
        "ended": [*every, closed(note="The ferries sail again.")],
    }.items():
        story(stack, browser, events).open()
        yield name
    for rest in ("/versions/4", f"/versions/2..{before.version}"):
        before.open(rest)
        yield f"history-{rest.rpartition('/')[2]}"
    long = story(stack, browser, stories.long_coverage())
    before.open("/corrections")
    yield "corrections"
    for rest in ("", "/pages/3"):
        long.open(rest)
        yield f"long{rest.replace('/', '-')}"
    for name, path in {"latest": "/", "missing": "/articles/nowhere"}.items():
        browser.get(stack.deliver + path)
        yield name
    before.file(killed())
    until_sync(lambda: stack.get(before.path).status_code == HTTPStatus.GONE)
    browser.get(stack.deliver + before.path)
    yield "killed"


def take_all(folder: Path) -> None:
    """Photograph every page at each width and in both schemes, and one with its toast."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as data, running(Path(data)) as stack:
        browser = chromium()
        try:
            for name in open_each(stack, browser):
                _photograph_each(browser, folder, name)
            _photograph_toast(stack, browser, folder)
        finally:
            browser.quit()


def _photograph_each(browser: Chrome, folder: Path, name: str) -> None:
    for width in WIDTHS:
        for scheme in SCHEMES:
            screen(browser, width)
            media(browser, prefers_color_scheme=scheme)
            photograph(browser, folder / f"{name}-{width}-{scheme}.png")


def _photograph_toast(stack: Stack, browser: Chrome, folder: Path) -> None:
    page = story(stack, browser, stories.every_kind())
    screen(browser, WIDTHS[0])
    media(browser, prefers_color_scheme=SCHEMES[0])
    page.open()
    page.take(posted("n1", "The first ship has left."), posted("n2", "The second follows."))
    photograph(browser, folder / "toast-360-light.png", whole=False)


if __name__ == "__main__":
    take_all(Path(sys.argv[1]))
