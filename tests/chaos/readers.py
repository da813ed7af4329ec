"""Subscribers under fire: they follow articles, or all of them, and come back where they were.

What each is told has to join: it begins where the last ended, or a reset comes first. What they
hold of an article in the end, and when they leave it, is kept for who knows the ledger.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.chaos.findings import Findings
from tests.integration.follower import Follower
from tests.integration.newsstand import Event, Stream, open_stream

#: Longer than a stream is silent.
SILENCE_SECONDS = 20.0
PAUSE_SECONDS = 0.1, 0.6
#: How many events a reader takes before it loses its connection, at most.
TAKEN = 60
#: One event in so many, a reader turns to another article.
LEAVES = 80

Json = dict[str, Any]
#: What a connection that is lost looks like, whoever ended.
LOST = (OSError, EOFError, ValueError, TimeoutError, httpx2.TransportError)


@dataclass
class Readers:
    """All of them. *articles* says which may be followed; *left* has what was held of each."""

    url: str
    findings: Findings
    articles: Callable[[], Iterable[str]]
    met: Counter[str] = field(default_factory=Counter)
    left: list[Json] = field(default_factory=list)
    ending: bool = False
    all: list[_Reader] = field(default_factory=list)

    def places(self) -> dict[str, int]:
        """Return where each article is, as far as the reader knows who knows least."""
        found: dict[str, int] = {}
        for reader in self.all:
            for slug, at in reader.places().items():
                found[slug] = min(at, found.get(slug, at))
        return found

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    async def read(self, followers: int, hoses: int, seed: int) -> None:
        """Follow until cancelled."""
        for number in range(followers):
            self.all.append(ArticleReader(self, random.Random(f"{seed} {number}")))
        for number in range(hoses):
            self.all.append(HoseReader(self, random.Random(f"{seed} hose {number}")))
        async with asyncio.TaskGroup() as tasks:
            for reader in self.all:
                tasks.create_task(reader.run())

    async def page(self, slug: str) -> Json | None:
        """Return the article as it is; None if it can't be had, or there is none any more."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=5.0) as client:
            answer = await client.get(f"/articles/{slug}.json")
        return answer.json() if answer.status_code == 200 else None


class _Reader:
    """Opens a stream again and again; *take* is told each event, and says whether to stay."""

    def __init__(self, readers: Readers, chances: random.Random) -> None:
        self.all = readers
        self.chances = chances
        self.last = ""

    async def run(self) -> None:
        """Follow until cancelled."""
        raise NotImplementedError

    def places(self) -> dict[str, int]:
        """Return where the articles are that it knows of."""
        raise NotImplementedError

    async def pause(self) -> None:
        await asyncio.sleep(self.chances.uniform(*PAUSE_SECONDS))

    async def follow(self, path: str, take: Callable[[Event], bool]) -> None:
        """Read one connection to its end, or until we lose it."""
        stream = await open_stream(self.all.port, path, last=self.last)
        try:
            if stream.status != 200:
                self.all.met[f"HTTP {stream.status}"] += 1
                return
            self.all.met["resumed" if self.last else "opened"] += 1
            await self._take_some(stream, take)
        finally:
            stream.close()

    async def _take_some(self, stream: Stream, take: Callable[[Event], bool]) -> None:
        left = self.chances.randint(1, TAKEN)
        while left or self.all.ending:
            event = await stream.event(SILENCE_SECONDS)
            if event is None or not take(event):
                return
            self.last = event.id
            left -= 1


class ArticleReader(_Reader):
    """Holds one article at a time, and keeps it true by what its stream says."""

    def __init__(self, readers: Readers, chances: random.Random) -> None:
        super().__init__(readers, chances)
        self.held: Follower | None = None

    async def run(self) -> None:
        try:
            while True:
                try:
                    await self._turn()
                except LOST:
                    self.all.met["lost"] += 1
                await self.pause()
        finally:
            self._leave()

    def places(self) -> dict[str, int]:
        return {self.held.document["article"]: self.held.version} if self.held else {}

    async def _turn(self) -> None:
        if self.held is None and not await self._load():
            return
        assert self.held is not None
        slug = self.held.document["article"]
        self.last = self.last or self.held.since
        await self.follow(f"/articles/{slug}/live", self._take)

    async def _load(self) -> bool:
        """Load an article, another one unless we were told to load it again."""
        slugs = sorted(self.all.articles())
        document = await self.all.page(self.chances.choice(slugs)) if slugs else None
        if document is None:
            return False
        self.held, self.last = Follower(document), ""
        return True

    def _take(self, event: Event) -> bool:
        assert self.held is not None
        self.all.met[event.kind] += 1
        if event.kind != "change":  # reset: load it again; killed: there is no more to come
            self.held = None
            return False
        try:
            self.held.apply(event.data)
        except (AssertionError, ValueError, LookupError) as error:
            slug, what = self.held.document["article"], f"{event.data['from']}..{event.data['to']}"
            self.all.findings.add("I7", f"{slug} at {self.held.version} was told {what}: {error}")
            self.held = None
            return False
        if not self.all.ending and self.chances.randrange(LEAVES) == 0:
            self._leave()
            return False
        return True

    def _leave(self) -> None:
        if self.held is not None:
            self.all.left.append(self.held.document)
        self.held = None


class HoseReader(_Reader):
    """Hears of every article, thin; knows where each is."""

    def __init__(self, readers: Readers, chances: random.Random) -> None:
        super().__init__(readers, chances)
        self.at: dict[str, int] = {}

    def places(self) -> dict[str, int]:
        return self.at

    async def run(self) -> None:
        while True:
            try:
                await self.follow("/live", self._take)
            except LOST:
                self.all.met["lost"] += 1
            await self.pause()

    def _take(self, event: Event) -> bool:
        self.all.met[f"{event.kind} of all"] += 1
        if event.kind == "reset":
            self.at.clear()
            return True
        slug, start, to = (event.data[name] for name in ("article", "from", "to"))
        if self.at.get(slug, start) != start or to <= start:
            self.all.findings.add("I7", f"all: {slug} at {self.at[slug]} was told {start}..{to}")
        self.at[slug] = to
        return True
