"""An article of a test's own, with a page of it open in a browser."""

from __future__ import annotations

import uuid
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.builders import published
from tests.stack import Stack
from tests.waiting import until_sync

LIMIT = 20.0

#: What one reader's page has and another's has not: what is new to them, how long ago it was.
_PLAIN = """
    const main = document.querySelector("main").cloneNode(true);
    main.querySelectorAll(".ago, [data-overdue]").forEach((each) => { each.textContent = ""; });
    main.querySelectorAll("[data-new]").forEach((each) => { delete each.dataset.new; });
    main.normalize();
    const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
    const blank = [];
    while (walker.nextNode()) {
      if (!walker.currentNode.data.trim()) blank.push(walker.currentNode);
    }
    blank.forEach((node) => node.remove());
    const plain = (node) => node.nodeType === 3 ? node.data.trim() : [
      node.localName,
      [...node.attributes].map((a) => `${a.name}=${a.value}`).sort().join(" "),
      [...node.childNodes].map(plain),
    ];
    return JSON.stringify(plain(main), null, 1);
"""


_TEXT = """
    const element = document.querySelector(arguments[0]);
    return element?.checkVisibility() ? element.innerText : "";
"""


class OpenPage:
    """An article with a slug of its own; *facts* are those of its publication."""

    def __init__(self, stack: Stack, browser: Chrome, **facts: Any) -> None:
        self.stack, self.browser = stack, browser
        self.slug = f"story-{uuid.uuid4().hex[:8]}"
        self.version = 0
        self.file(published(**facts))

    @property
    def path(self) -> str:
        return f"/articles/{self.slug}"

    def file(self, *events: dict[str, Any]) -> None:
        """File *events* and wait until they are accepted."""
        receipts = self.stack.file([{**event, "subject": self.slug} for event in events])
        assert {receipt["status"] for receipt in receipts} == {"accepted"}, receipts
        self.version = receipts[-1]["seq"]

    def open(self, rest: str = "", *, at: str = "") -> None:
        """Load the page, *at* an address other than deliver's own if one is given.

        The mark tells later whether it is still the same page.
        """
        self.stack.page(self.slug, self.version)
        self.browser.get((at or self.stack.deliver) + self.path + rest)
        self.browser.execute_script("window.loadedOnce = true")

    def caught_up(self) -> None:
        """Wait until the page has taken what was filed."""
        until_sync(lambda: self.cursor().startswith(f"{self.version}."), LIMIT)
        assert self.run("return window.loadedOnce === true")

    def take(self, *events: dict[str, Any]) -> None:
        """File *events* and wait until the page has taken them."""
        self.file(*events)
        self.caught_up()

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what *script* gives in the page."""
        return self.browser.execute_script(script, *arguments)

    def cursor(self) -> str:
        return str(self.run("return document.querySelector('main').dataset.cursor || ''"))

    def text(self, selector: str) -> str:
        """Return what one can read of it, in one step: the page changes under our eyes."""
        return str(self.run(_TEXT, selector))

    def state(self) -> str:
        """Return what the page says of itself: Live, Ended, Offline or Paused."""
        return str(self.run("return document.querySelector('#state').textContent"))

    def click(self, selector: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, selector).click()

    def shows(self, selector: str) -> bool:
        return bool(
            self.run("return document.querySelector(arguments[0]).checkVisibility()", selector)
        )

    def updates(self) -> list[str]:
        """Return the ids of the updates on the page, from top to bottom."""
        found = self.browser.find_elements(By.CSS_SELECTOR, "#updates > article")
        return [(element.get_attribute("id") or "").removeprefix("u-") for element in found]

    def html(self) -> str:
        """Return the content without white space and without what is this reader's own."""
        return str(self.run(_PLAIN))
