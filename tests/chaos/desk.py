"""The newsroom under fire: it writes down what it means to file, files it, and what it was told.

It goes on sending what is not acknowledged, always under the same ids, as a client does; repeats at
times what was; and tries at times to pass off other words under an id that is taken.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import orjson

from tests.builders import Envelope
from tests.chaos.findings import Findings
from tests.chaos.stories import story

#: Less than a frozen ingest stays so: what it was sent is sent again while it has the first.
TIMEOUT_SECONDS = 1.5
LONGEST_PAUSE_SECONDS = 0.5
REPEATED, FORGED = 0.06, 0.02
STORED = ("accepted", "duplicate", "held")
#: What follows an event whose outcome is open may be refused for it.
AGAIN = ("busy", "durability-timeout", "unknown-article", "unknown-update", "article-exists")

Receipt = dict[str, Any]


@dataclass
class Load:
    """How much is filed: *desks* at once, all together at most *rate* events a second."""

    desks: int = 6
    rate: float = 100.0
    at_once: int = 6
    """Events in a request, at most."""
    open_at_once: int = 6
    """Articles that a desk has open; with fewer, each moves on faster."""
    patience: float = 300.0
    """Seconds after which an event without a receipt is a finding."""


@dataclass
class Journal:
    """The file with what was meant and what was said, a line each, written before and after."""

    path: Path
    acked: int = 0
    acks: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._file = self.path.open("ab", buffering=0)

    def meant(self, events: Sequence[Envelope]) -> None:
        self._file.write(b"".join(orjson.dumps({"meant": event}) + b"\n" for event in events))

    def told(self, receipt: Receipt) -> None:
        facts = {name: receipt.get(name) for name in ("article", "id", "status", "seq", "chain")}
        self._file.write(orjson.dumps({"told": facts}) + b"\n")
        self.acked += 1
        self.acks.append(time.monotonic())

    def close(self) -> None:
        self._file.close()


class Newsroom:
    """Desks that file until they are told to *close*; then they finish what is under way."""

    def __init__(
        self,
        url: str,
        journal: Journal,
        findings: Findings,
        seed: int,
        load: Load,
        prefix: str = "story",
    ) -> None:
        self.retry_after = ""
        self._prefix = prefix
        self.met: Counter[str] = Counter()
        self.open: dict[str, Iterator[Envelope]] = {}
        self._url = url
        self._journal = journal
        self._findings = findings
        self._seed = seed
        self._load = load
        self._recent: deque[tuple[Envelope, Receipt]] = deque(maxlen=500)
        self._articles = 0
        self._closing = False
        self._next_at = 0.0

    def close(self) -> None:
        self._closing = True

    async def file(self) -> None:
        """Return when all desks have closed, and every event they began has its receipt."""
        async with asyncio.TaskGroup() as desks:
            for number in range(self._load.desks):
                desks.create_task(self._desk(random.Random(f"{self._seed} desk {number}")))

    async def _desk(self, chances: random.Random) -> None:
        stories: dict[str, Iterator[Envelope]] = {}
        async with httpx2.AsyncClient(
            base_url=self._url, trust_env=False, timeout=TIMEOUT_SECONDS
        ) as client:
            while not self._closing:
                while len(stories) < self._load.open_at_once:
                    self._begin(stories)
                slug = chances.choice(list(stories))
                events = _some(stories[slug], chances.randint(1, self._load.at_once))
                if not events:
                    del stories[slug], self.open[slug]
                    continue
                await self._pace(len(events))
                await self._insist(client, events)
                await self._bother(client, chances)

    def _begin(self, stories: dict[str, Iterator[Envelope]]) -> None:
        self._articles += 1
        slug = f"{self._prefix}-{self._articles}"
        stories[slug] = self.open[slug] = story(slug, f"{self._seed} {slug}")

    async def _pace(self, events: int) -> None:
        """Wait for our turn; what was missed while nothing could be filed is not made up for."""
        now = time.monotonic()
        self._next_at = max(self._next_at, now - 1.0) + events / self._load.rate
        await asyncio.sleep(max(self._next_at - now, 0.0))

    async def _insist(self, client: httpx2.AsyncClient, events: Sequence[Envelope]) -> None:
        self._journal.meant(events)
        left, pause, since = list(events), 0.02, time.monotonic()
        while left:
            receipts = await self._post(client, left)
            left = [
                event
                for place, event in enumerate(left)
                if place >= len(receipts) or not self._settled(event, receipts[place])
            ]
            if left:
                if time.monotonic() - since > self._load.patience:
                    self._findings.add("liveness", f"no receipt for {left[0]['id']}")
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _settled(self, event: Envelope, receipt: Receipt) -> bool:
        """Whether the event has its receipt; what can't be said of it is a finding."""
        if receipt["status"] in STORED:
            self._journal.told(receipt)
            self.met[receipt["status"]] += 1
            self._recent.append((event, receipt))
            return True
        code = receipt["problem"]["code"]
        self.met[code] += 1
        if code not in AGAIN:
            self._findings.add("receipts", f"{event['id']} is refused as {code}")
            return True
        return False

    async def _bother(self, client: httpx2.AsyncClient, chances: random.Random) -> None:
        """Send something once more that is stored, or other words under its id."""
        what = chances.random()
        if not self._recent or what > REPEATED + FORGED:
            return
        event, first = chances.choice(self._recent)
        forged = what < FORGED
        for receipt in await self._post(client, [_forged(event) if forged else event]):
            if receipt["status"] == "unknown" or _code(receipt) == "busy":
                return
            self.met["forged" if forged else "repeated"] += 1
            if forged and _code(receipt) != "id-conflict":
                self._findings.add("once", f"forged {event['id']} is {receipt['status']}")
            if not forged and not _same(first, receipt):
                self._findings.add("once", f"{event['id']} again is {receipt['status']}")

    async def _post(
        self, client: httpx2.AsyncClient, events: Sequence[Envelope]
    ) -> Sequence[Receipt]:
        """Return the receipts; none at all if the request had no outcome."""
        try:
            answer = await client.post(
                "/v1/events",
                content=b"\n".join(map(orjson.dumps, events)),
                headers={"content-type": "application/x-ndjson"},
            )
        except httpx2.TransportError:
            self.met["no answer"] += 1
            return ()
        self.retry_after = answer.headers.get("retry-after", self.retry_after)
        if answer.status_code not in (202, 207):
            self.met[f"HTTP {answer.status_code}"] += 1
            if answer.status_code != 503:
                self._findings.add("receipts", f"HTTP {answer.status_code}")
            return ()
        receipts: list[Receipt] = answer.json()["receipts"]
        return receipts


def _some(events: Iterator[Envelope], many: int) -> list[Envelope]:
    return list(islice(events, many))


def _forged(event: Envelope) -> Envelope:
    """Return other words under the same id, of an act that needs none of the first ones."""
    return event | {
        "type": "writethru.article.writethru",
        "data": {"headline": f"Not what {event['id']} said"},
    }


def _code(receipt: Receipt) -> str | None:
    problem = receipt.get("problem") or {}
    code: str | None = problem.get("code")
    return code


def _same(first: Receipt, again: Receipt) -> bool:
    """Whether it was known again, at its first place; what was held may have one by now."""
    if again["status"] != "duplicate":
        return False
    return first.get("seq") in (None, again.get("seq"))
