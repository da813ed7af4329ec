"""Hostile texts in real pages: served by deliver, and sent into pages that are open.

    python -m tests.browser.hostile --pages 2000

Each text is an article that says it wherever an event takes text. Each page is loaded with its
Content Security Policy and without, everything in it is used as a reader might, and nothing may
run. The same texts, put into pages as they are, show that they would.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from selenium.common.exceptions import JavascriptException, WebDriverException
from selenium.webdriver import Chrome

from tests.browser.chromium import chromium
from tests.browser.open_page import LIMIT, OpenPage
from tests.browser.payloads import payloads
from tests.builders import Envelope, posted, writethru
from tests.fuzz.page import events
from tests.serving import serving
from tests.stack import Stack, running
from tests.waiting import until_sync

#: Texts that are filed at a time, and sent into one open page.
AT_ONCE = 25
#: One in so many is also in the address that is asked for, which the page for errors repeats.
ASKED_FOR = 20
#: Of the first so many it is seen whether they would run as they are.
COMPARED = 400
AS_THEY_ARE = "as they are, for comparison"

#: What pages run first. A frame may be of another origin; the console hears it all the same.
_TRAP = """
    const told = (what) => { try { top.traps.push(what) } catch { } console.warn(`TRAP ${what}`) };
    if (top === window) window.traps = [];
    window.hit = (number) => told(number);
    window.alert = window.confirm = window.prompt = window.print = () => told("dialog");
    addEventListener("securitypolicyviolation", (event) => told(
      `policy ${event.effectiveDirective} ${event.blockedURI}`));
    addEventListener("click", (event) => {
      const link = event.target.closest?.("a[href], area[href]");
      if (link && /^(https?|mailto):/.test(link.href)) event.preventDefault();
    });
"""
#: What a reader might do to anything on a page, and then what the page is made of.
_USE = """
    const [wait, done] = arguments;
    const kinds = ["mouseover", "pointerenter", "focus", "click", "toggle", "beforetoggle", "copy",
      "load", "error", "animationstart", "begin", "submit", "wheel", "blur", "close", "start"];
    for (const each of document.querySelectorAll("*")) {
      if (["pause", "toast"].includes(each.id)) continue;
      for (const kind of kinds) each.dispatchEvent(new Event(kind, { cancelable: true }));
      if (each.matches("a, area, button, [href]") && each.click) each.click();
    }
    setTimeout(() => {
      const strange = [...document.querySelectorAll("*")].filter((each) =>
        [...each.attributes].some(({ name }) => name.startsWith("on") || name === "style") ||
        /^(javascript|data|vbscript|blob):/i.test(each.href?.baseVal ?? each.href ?? each.src ?? "")
        || (each.localName === "script" && each.id !== "data" && !each.src.includes("/static/")));
      done([window.traps, strange.map((each) => each.outerHTML.slice(0, 200))]);
    }, wait);
"""


@dataclass
class Found:
    """What pages of one kind did: how many there were, what ran in them, what stood there."""

    kind: str
    pages: int = 0
    ran: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    policy: list[str] = field(default_factory=list)

    def add(self, place: str, traps: Sequence[Any], strange: Sequence[str]) -> None:
        self.pages += 1
        for trap in traps:
            where = self.policy if str(trap).startswith("policy") else self.ran
            where.append(f"{place}: {trap}")
        self.strange += (f"{place}: {each}" for each in strange)

    @property
    def clean(self) -> bool:
        return not (self.ran or self.strange or self.policy)


class Trapped:
    """A browser whose pages run the trap first."""

    def __init__(self, browser: Chrome) -> None:
        self.browser = browser

    @contextmanager
    def pages(self, *, policy: bool) -> Iterator[Trapped]:
        """Set the trap; without *policy*, let pages be as if they had none."""
        run = self.browser.execute_cdp_cmd
        added = run("Page.addScriptToEvaluateOnNewDocument", {"source": f"{{ {_TRAP} }}"})
        run("Page.enable", {})
        run("Page.setBypassCSP", {"enabled": not policy})
        run("Network.enable", {})
        run("Network.setBlockedURLs", {"urls": ["https://*", "*e.example*"]})
        self.browser.get_log("browser")
        try:
            yield self
        finally:
            run("Page.removeScriptToEvaluateOnNewDocument", added)
            run("Page.setBypassCSP", {"enabled": False})
            run("Network.setBlockedURLs", {"urls": []})
            run("Network.disable", {})

    def load(self, address: str, found: Found, place: str, *, wait: int = 5) -> None:
        self.browser.get(address)
        self.use(found, place, wait=wait)

    def use(self, found: Found, place: str, *, wait: int = 5) -> None:
        """Use all that is on the page, and note what ran since it was loaded."""
        traps, strange = self._used(wait)
        lines = [entry["message"] for entry in self.browser.get_log("browser")]
        traps += [line.rpartition("TRAP ")[2] for line in lines if "TRAP " in line]
        traps += [f"policy {line}" for line in lines if "Content Security Policy" in line]
        found.add(place, traps, strange)

    def _used(self, wait: int) -> tuple[list[Any], list[str]]:
        try:
            traps, strange = self.browser.execute_async_script(_USE, wait)
        except (JavascriptException, WebDriverException) as error:  # the page went elsewhere
            return [f"left: {type(error).__name__}"], []
        return list(traps or []), list(strange)


def slug_of(number: int) -> str:
    return f"hostile-{number}"


def article_of(text: str, slug: str) -> list[Envelope]:
    """Return the events of an article that says *text* everywhere, its copy as Markdown too."""
    return [{**each, "subject": slug} for each in events(text, copy=text)]


def file_all(stack: Stack, texts: Sequence[str]) -> None:
    """File an article for each of *texts*, and wait until all can be read."""
    versions: dict[str, int] = {}
    for start in range(0, len(texts), AT_ONCE):
        some = enumerate(texts[start : start + AT_ONCE], start)
        filed = [each for n, text in some for each in article_of(text, slug_of(n))]
        receipts = stack.file(filed)
        assert {each["status"] for each in receipts} == {"accepted"}, receipts
        versions |= {each["article"]: each["seq"] for each in receipts}
    with httpx2.Client(base_url=stack.deliver, trust_env=False) as http:
        for slug, version in versions.items():
            until_sync(lambda: _version(http, slug) >= version, LIMIT)  # noqa: B023 -- at once


def _version(http: httpx2.Client, slug: str) -> int:
    answer = http.get(f"/articles/{slug}.json")
    return int(answer.json()["version"]) if answer.status_code == httpx2.codes.OK else 0


def served(stack: Stack, trapped: Trapped, texts: Sequence[str], found: Found) -> Iterator[None]:
    """Load the page of each of *texts*, and of some what is said of an address that is none."""
    for number, text in enumerate(texts):
        trapped.load(f"{stack.deliver}/articles/{slug_of(number)}", found, f"page {number}")
        if number % ASKED_FOR == 0:
            for path in (f"/articles/{quote(text, safe='')[:400]}", f"/?page={quote(text)[:800]}"):
                trapped.load(stack.deliver + path, found, f"address {number}")
        if number % 50 == 0:
            trapped.load(
                f"{stack.deliver}/?page={number // 50 + 1}", found, f"front {number // 50}"
            )
        yield


def arriving(stack: Stack, trapped: Trapped, texts: Sequence[str], found: Found) -> Iterator[None]:
    """Send *texts* into open pages, some at once, and use what they have become."""
    for start in range(0, len(texts), AT_ONCE):
        page = OpenPage(stack, trapped.browser)
        page.open()
        for number, text in enumerate(texts[start : start + AT_ONCE], start):
            page.file(*_acts(text, number))
        page.caught_up()
        trapped.use(found, f"open {start}", wait=20)
        for _ in texts[start : start + AT_ONCE]:
            yield


def _acts(text: str, number: int) -> list[Envelope]:
    """Return an update and a writethru that say *text*; as it is for an article, but of one."""
    opening, first, _, correction, *_ = events(text, copy=text)
    update_id = f"u{number}"
    return [
        writethru(**opening["data"], note=correction["data"]["note"]),
        posted(**{**first["data"], "update_id": update_id}),
        {**correction, "data": {**correction["data"], "update_id": update_id}},
    ]


@contextmanager
def as_they_are(texts: Sequence[str]) -> Iterator[str]:
    """Serve *texts* unescaped, with no policy, from the address that is yielded."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = self.path.strip("/")
            text = texts[int(number)] if number.isdigit() else ""
            page = f"<!doctype html><meta charset=utf-8><title>x</title><p>{text}"
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}"


def unescaped(trapped: Trapped, texts: Sequence[str], found: Found) -> Iterator[None]:
    """Load *texts* as they are; *found* has those that ran or left something, once each."""
    with as_they_are(texts) as address:
        for number, _ in enumerate(texts):
            one = Found("")
            trapped.load(f"{address}/{number}", one, f"{number}", wait=40)
            found.pages += 1
            found.ran += [f"{number}"] if one.ran else []
            found.strange += [f"{number}"] if one.strange else []
            yield


WAYS: dict[str, tuple[bool, Callable[..., Iterator[None]]]] = {
    "served, with the policy": (True, served),
    "served, without it": (False, served),
    "sent into open pages, with the policy": (True, arriving),
    "sent into open pages, without it": (False, arriving),
}


def campaign(
    stack: Stack, browser: Chrome, texts: Sequence[str], tell: Callable[[str], None]
) -> list[Found]:
    """Try *texts* in every way; *tell* is told the way, at each text."""
    file_all(stack, texts)
    outcome = []
    for kind, (policy, way) in WAYS.items():
        found = Found(kind)
        with Trapped(browser).pages(policy=policy) as trapped:
            for _ in way(stack, trapped, texts, found):
                tell(kind)
            browser.get("about:blank")
        outcome.append(found)
    return outcome


def as_is(browser: Chrome, texts: Sequence[str], tell: Callable[[str], None]) -> Found:
    """Put *texts* into pages as they are, to see how many would run."""
    found = Found(AS_THEY_ARE)
    with Trapped(browser).pages(policy=False) as trapped:
        for _ in unescaped(trapped, texts, found):
            tell(found.kind)
        browser.get("about:blank")
    return found


def main(argv: Sequence[str]) -> int:
    """Return the exit status: 1 if anything ran, or stood where it must not."""
    parser = argparse.ArgumentParser("python -m tests.browser.hostile", description=__doc__)
    parser.add_argument("--pages", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    options = parser.parse_args(argv)
    texts = payloads(options.pages, options.seed)
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, console=Console(stderr=True))
    tasks = {kind: bar.add_task(kind, total=len(texts)) for kind in WAYS}
    tasks[AS_THEY_ARE] = bar.add_task(AS_THEY_ARE, total=min(COMPARED, len(texts)))
    with TemporaryDirectory() as folder, running(Path(folder)) as stack, bar:
        browser = chromium()
        try:
            outcome = campaign(stack, browser, texts, lambda kind: bar.advance(tasks[kind]))
            compared = as_is(browser, texts[:COMPARED], lambda kind: bar.advance(tasks[kind]))
        finally:
            browser.quit()
    _show(outcome, compared, options.seed)
    return int(not all(each.clean for each in outcome))


def _show(outcome: Sequence[Found], compared: Found, seed: int) -> None:
    table = Table(title=f"Hostile texts, seed {seed}", title_justify="left")
    for name in ("texts", "pages", "scripts run", "strange elements", "refused by the policy"):
        table.add_column(name, justify="left" if name == "texts" else "right")
    for each in (*outcome, compared):
        counts = (each.pages, *map(len, (each.ran, each.strange, each.policy)))
        table.add_row(each.kind, *(f"{count:,}" for count in counts))
    Console(width=110).print(table)
    for each in outcome:
        for line in (*each.ran, *each.strange, *each.policy)[:20]:
            sys.stdout.write(f"{each.kind}: {line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
