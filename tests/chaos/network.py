"""Networks that fail: `python -m tests.chaos.network --times 5`.

A proxy of ours is on every link: publisher to ingest, each service to the engine, reader to
deliver. Each fault in turn begins while a desk files and readers read, and ends. Then everything
that was accepted has to be there once and in order, readers and pages at its end, and nobody may
have waited for an answer for longer than it is patient.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from shared.runtime.engine import Engine
from tests.chaos.desks import Desk, Judged, Reader, at_work, await_readers, chains_of, following
from tests.chaos.faultproxy import KINDS, FaultProxy, a_loop
from tests.stack import Command, free_ports
from tests.waiting import until_sync

LINKS = ("publisher", "ingest", "render", "deliver", "reader")
"""Who talks to whom: a publisher to ingest, a reader to deliver, each service to the engine."""
ARTICLES = 3
BEFORE, AFTER = 9, 15
"""Events that are accepted before a fault, and after it."""
HITS = 8
FAULT_SECONDS = 1.5
RECOVERY_SECONDS = 30.0
PUBLISHER_SECONDS = 5.0
"""How patient a publisher is whose own line fails."""
ANSWER_SECONDS = {"publish": 25.0, "read": 9.0}
"""What no answer takes, whatever happens between a service and its engine."""


@dataclass
class Outcome:
    """What came of one fault, in seconds.

    *back* is how long after its end events were accepted again, *told* how long after it readers
    had all that was filed meanwhile and for a while after; the others are the slowest answers.
    """

    link: str
    kind: str
    hits: int
    accepted: int
    back: float
    told: float
    publish: float
    read: float

    def said(self) -> str:
        return (
            f"{self.link}: {self.kind}, {self.hits} hits, {self.accepted} accepted, all there; "
            f"back after {self.back:.1f} s, readers told after {self.told:.1f} s, "
            f"slowest answer {self.publish:.1f} s, page {self.read:.1f} s"
        )


@dataclass
class Browser:
    """Loads a page again and again; *slowest* is how long that took in seconds, answer or not."""

    url: str
    slug: str
    timeout: float
    slowest: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=self.timeout) as client:
            while not self.stopped.wait(0.1):
                began = time.monotonic()
                with suppress(httpx2.TransportError):
                    client.get(f"/articles/{self.slug}.json")
                self.slowest = max(self.slowest, time.monotonic() - began)


@dataclass
class Newsroom:
    """The three services, each link through a proxy of its own."""

    folder: Path
    proxies: dict[str, FaultProxy]
    ingest: str
    deliver: str
    rounds: int = 0

    def suffer(self, link: str, kind: str) -> Outcome:
        """Have *link* fail by *kind* while events flow. Raises AssertionError for what breaks."""
        self.rounds += 1
        proxy = self.proxies[link]
        slugs = [f"line-{self.rounds}-{number}" for number in range(ARTICLES)]
        patience = PUBLISHER_SECONDS if link == "publisher" else 40.0
        desk = Desk(
            _url(self.proxies["publisher"].port), self._log(), slugs, "fsync", timeout=patience
        )
        outside = _url(self.proxies["reader"].port)
        readers = [Reader(outside, slug) for slug in slugs]
        browser = Browser(outside, slugs[0], 5.0 if link == "reader" else 20.0)
        with following([*readers, browser]):
            with at_work([desk]):
                _await(desk, BEFORE)
                # Readers may be slower than the desk, and some faults need a line to spoil.
                until_sync(lambda: proxy.lines > 0, RECOVERY_SECONDS)
                proxy.inject(kind)
                began = time.monotonic()
                until_sync(lambda: proxy.hits >= HITS or _over(began, proxy), RECOVERY_SECONDS)
                hits = proxy.hits
                proxy.heal()
                healed = time.monotonic()
                _await(desk, AFTER)
                back = next(at for at, _ in desk.accepted if at >= healed) - healed
            chains = {slug: chains_of(self.ingest, slug) for slug in slugs}
            await_readers(readers, chains)
            told = time.monotonic() - healed
        _check(desk, readers, chains)
        assert desk.slowest <= ANSWER_SECONDS["publish"], f"an answer took {desk.slowest:.1f} s"
        assert browser.slowest <= ANSWER_SECONDS["read"], f"a page took {browser.slowest:.1f} s"
        return Outcome(
            link, kind, hits, len(desk.accepted), back, told, desk.slowest, browser.slowest
        )

    def _log(self) -> Path:
        return self.folder / f"{self.rounds}.log"


def _check(desk: Desk, readers: Sequence[Reader], chains: Mapping[str, Mapping[int, str]]) -> None:
    """Hold ledgers to what was accepted, and readers to the ledgers."""
    assert not desk.refused
    assert desk.missing() == []
    filed = [each.name.article for each in desk.filed()]
    assert {slug: len(chain) for slug, chain in chains.items()} == {
        slug: filed.count(slug) for slug in chains
    }
    judged = Judged()
    for reader in readers:
        reader.judge(chains[reader.slug], judged)
    assert (judged.forked, judged.told) == (0, 0)


def _await(desk: Desk, more: int) -> None:
    goal = len(desk.accepted) + more
    until_sync(lambda: len(desk.accepted) >= goal, RECOVERY_SECONDS)


def _over(began: float, proxy: FaultProxy) -> bool:
    return bool(proxy.hits) and time.monotonic() - began > FAULT_SECONDS


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextmanager
def newsroom(folder: Path) -> Iterator[Newsroom]:
    """Start an engine, the services, and a proxy on each link."""
    engine_folder, home = folder / "engine", folder / "home"
    home.mkdir(parents=True)
    ingest, deliver = free_ports(2)
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(engine_folder))
        loop = stack.enter_context(a_loop())
        server = int(engine.url.rpartition(":")[2].partition("/")[0])
        targets = {"publisher": ingest, "reader": deliver}
        proxies = {link: FaultProxy(loop, targets.get(link, server)) for link in LINKS}
        for proxy in proxies.values():
            proxy.start()
            stack.callback(proxy.stop)
        listening = {
            "ingest": {"WRITETHRU_INGEST_LISTEN": f"127.0.0.1:{ingest}"},
            "deliver": {"WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{deliver}"},
            "render": dict[str, str](),
        }
        for name, environ in listening.items():
            url = f"redis://127.0.0.1:{proxies[name].port}/0"
            own = {"WRITETHRU_NO_AUTH": "true", "WRITETHRU_METRICS_LISTEN": "127.0.0.1:0"}
            service = Command(home, name, WRITETHRU_REDIS_URL=url, **own, **environ)
            stack.callback(service.clear)
        for port in (ingest, deliver):
            until_sync(lambda: _is_ready(port), 60)  # noqa: B023
        yield Newsroom(home, proxies, _url(ingest), _url(deliver))


def _is_ready(port: int) -> bool:
    with suppress(httpx2.TransportError):
        return httpx2.get(f"{_url(port)}/readyz", trust_env=False).status_code == httpx2.codes.OK
    return False


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.chaos.network", description=__doc__)
    parser.add_argument("--times", type=int, default=5, metavar="N")
    parser.add_argument("--link", choices=LINKS, action="append")
    parser.add_argument("--kind", choices=KINDS, action="append")
    options = parser.parse_args(argv)
    faults = [
        (link, kind)
        for _ in range(options.times)
        for link in options.link or LINKS
        for kind in options.kind or KINDS
    ]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, newsroom(Path(folder)) as room:
        for link, kind in faults:
            outcomes.append(room.suffer(link, kind))
            sys.stderr.write(f"{len(outcomes)} of {len(faults)}  {outcomes[-1].said()}\n")
    sys.stdout.write("\n".join(table(outcomes)) + "\n")
    return 0


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a line for each link, as the document has it."""
    yield (
        "| line of | faults | hits | accepted | accepted again after "
        "| readers told after | slowest answer | slowest page |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for link in dict.fromkeys(each.link for each in outcomes):
        its = [each for each in outcomes if each.link == link]
        sums = [len(its), sum(each.hits for each in its), sum(each.accepted for each in its)]
        most = [
            max(each.back for each in its),
            max(each.told for each in its),
            max(each.publish for each in its),
            max(each.read for each in its),
        ]
        cells = [link, *(f"{each:,}" for each in sums), *(f"{each:.1f} s" for each in most)]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
