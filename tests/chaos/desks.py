"""Those at both ends while engines go: desks that file with a log, and readers of live articles."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import httpx2
import orjson

from services.cli.filing_log import Filed, FilingLog
from services.cli.redrive import missing
from services.cli.sending import Receipt, Sender
from shared.contract.durability import HEADER
from tests.builders import Envelope
from tests.chaos.harness import TOGETHER, coverage

PATIENCE_SECONDS = 60.0
#: A request, and a pause: enough to be under load, and to leave the machine to the engines.
PACE_SECONDS = 0.02
EVENTS_AT_MOST = 3_000
#: What a desk is told while history is lost under it, until that is filed again.
CONSEQUENCES = {"unknown-article", "unknown-update"}


@dataclass
class Desk:
    """Files live articles, three events at a time, each in its order, until it is stopped."""

    url: str
    log: Path
    slugs: Sequence[str]
    level: str
    accepted: list[tuple[float, str]] = field(default_factory=list)
    """When, and of which article, each receipt came that says that an event is stored."""
    refused: int = 0
    slowest: float = 0.0
    """How long the request took in seconds that took longest."""
    timeout: float = 20.0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Return when it is stopped and everything it has sent has an outcome."""
        stories = {slug: iter(coverage(slug, EVENTS_AT_MOST)) for slug in self.slugs}
        with FilingLog(self.log) as log, self._client() as client:
            while not self.stopped.is_set():
                for slug, story in stories.items():
                    self._file(client, log, slug, list(islice(story, TOGETHER)))
                    self.stopped.wait(PACE_SECONDS)

    def _client(self) -> httpx2.Client:
        headers = {"content-type": "application/x-ndjson", HEADER: self.level}
        return httpx2.Client(
            base_url=self.url, headers=headers, trust_env=False, timeout=self.timeout
        )

    def _file(
        self, client: httpx2.Client, log: FilingLog, slug: str, events: Sequence[Envelope]
    ) -> None:
        left = [orjson.dumps(event).decode() for event in events]
        log.intend(left)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left:
            assert time.monotonic() < deadline, f"{len(left)} events of {slug} have no outcome"
            began = time.monotonic()
            receipts = _post(client, left) or [{"status": "unknown"}] * len(left)
            self.slowest = max(self.slowest, time.monotonic() - began)
            for receipt in receipts:
                log.note(receipt)
                self._take(slug, receipt)
            left = [text for text, each in zip(left, receipts, strict=True) if _is_open(each)]

    def _take(self, slug: str, receipt: Receipt) -> None:
        if receipt["status"] in ("accepted", "duplicate"):
            self.accepted.append((time.monotonic(), slug))
        elif not _is_open(receipt):
            assert receipt["problem"]["code"] in CONSEQUENCES, receipt
            self.refused += 1

    def filed(self) -> list[Filed]:
        with FilingLog(self.log) as log:
            return log.filed()

    def missing(self) -> list[Filed]:
        """Return what it was told is stored, and no ledger has where its receipt says."""

        async def ask() -> list[Filed]:
            async with Sender(self.url) as sender:
                return await missing(self.filed(), sender)

        return [each for each in asyncio.run(ask()) if each.stored]


def _is_open(receipt: Receipt) -> bool:
    code = receipt.get("problem", {}).get("code")
    return bool(receipt["status"] == "unknown" or code == "busy")


def _post(client: httpx2.Client, texts: Sequence[str]) -> list[Receipt]:
    """Return the receipts, none at all if the request had no outcome."""
    try:
        answer = client.post("/v1/events", content="\n".join(texts).encode())
    except httpx2.TransportError:
        return []
    if answer.status_code == 503:
        return []
    assert answer.status_code in (202, 207), answer.text
    receipts: list[Receipt] = answer.json()["receipts"]
    return receipts


@contextmanager
def at_work(desks: Sequence[Desk]) -> Iterator[None]:
    """Let *desks* file, and end them after. Raises AssertionError for what none may be told."""
    failures: list[BaseException] = []

    def work(desk: Desk) -> None:
        try:
            desk.run()
        except BaseException as error:  # noqa: BLE001 -- raised below, in the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=work, args=[desk]) for desk in desks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for desk in desks:
            desk.stopped.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


class Mark(NamedTuple):
    """Where a reader was told that it stands, and by what; *since* is 0 after a reset."""

    kind: str
    since: int
    to: int
    chain: str


@dataclass
class Judged:
    """How readers fared: of whom history was lost, who of them was told, who was told besides."""

    forked: int = 0
    told: int = 0
    ahead: int = 0


@dataclass
class Reader:
    """Follows one live article as a browser does: it comes back with the last id that it had."""

    url: str
    slug: str
    marks: list[Mark] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _last: str = ""

    def run(self) -> None:
        # Who hears nothing for a while comes back, as browsers do behind some proxies.
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=2.0) as client:
            while not self.stopped.wait(0.1):
                with suppress(httpx2.TransportError):
                    self._follow(client)

    def _follow(self, client: httpx2.Client) -> None:
        # Whoever has nothing yet says so, or would be told only of what comes next.
        headers = {"last-event-id": self._last} if self._last else {}
        path = f"/articles/{self.slug}/live?since=0"
        with client.stream("GET", path, headers=headers) as stream:
            if stream.status_code != httpx2.codes.OK:
                return
            fields: dict[str, str] = {}
            for line in stream.iter_lines():
                if self.stopped.is_set():
                    return
                name, _, value = line.partition(": ")
                fields[name] = value
                if not line and "data" in fields:
                    self._hear(fields)
                    fields = {}

    def _hear(self, fields: Mapping[str, str]) -> None:
        data: dict[str, Any] = orjson.loads(fields["data"])
        self._last = fields.get("id") or self._last
        mark = Mark(fields["event"], data.get("from", 0), data["to"], data["chain"][:12])
        self.marks.append(mark)

    def stands_at(self, seq: int, chain: str) -> bool:
        return bool(self.marks) and self.marks[-1][2:] == (seq, chain[:12])

    def judge(self, chains: Mapping[int, str], so_far: Judged) -> None:
        """Hold what it was told to the *chains* of the ledger as it is now, by seq."""
        standing = True  # on a history that the ledger has
        for before, mark in zip([None, *self.marks], self.marks, strict=False):
            if mark.kind == "reset":
                so_far.told += not standing
                so_far.ahead += standing
                standing = True
            elif before:
                assert mark.since == before.to, f"{self.slug}: {mark} does not join {before}"
            if chains.get(mark.to) != mark.chain and standing:
                so_far.forked += 1
                standing = False
        assert standing, f"{self.slug}: still on a history that is lost: {self.marks[-3:]}"


class Follows(Protocol):
    """Somebody who reads until stopped."""

    stopped: threading.Event

    def run(self) -> None: ...


@contextmanager
def following(readers: Sequence[Follows]) -> Iterator[None]:
    """Let *readers* read, and end them after."""
    with ExitStack() as stack:
        for reader in readers:
            thread = threading.Thread(target=reader.run)
            thread.start()
            stack.callback(thread.join)
        for reader in readers:
            stack.callback(reader.stopped.set)  # before any of them is waited for
        yield


def chains_of(url: str, slug: str) -> dict[int, str]:
    """Return the chain at each seq of the article's ledger, in twelve characters.

    Raises AssertionError for a gap, or an event that is there twice.
    """
    answer = httpx2.get(f"{url}/v1/articles/{slug}/events", trust_env=False, timeout=20.0)
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len({line["id"] for line in lines}) == len(lines), f"{slug}: an event is there twice"
    return {line["seq"]: line["chain"][:12] for line in lines}


def await_readers(readers: Sequence[Reader], chains: Mapping[str, Mapping[int, str]]) -> None:
    """Return when each reader has been told of the end of its article's ledger."""
    for reader in readers:
        last = max(chains[reader.slug])
        end = last, chains[reader.slug][last]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not reader.stands_at(*end):
            late = f"{reader.slug}: {reader.marks[-2:]} where the ledger has {end}"
            assert time.monotonic() < deadline, late
            reader.stopped.wait(0.02)
