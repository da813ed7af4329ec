"""A newsroom that files under fire, and what must be true when the smoke has gone.

The newsroom keeps two logs: what it meant to file, before it files it, and what was acknowledged.
It goes on sending what is not acknowledged, always under the same ids, and repeats at times what
is, as a client does that lost the answer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
import redis

from shared.article.article import Article
from shared.article.fold import replay
from shared.article.formats import json, text
from shared.article.stored import load_entry
from shared.contract.canonical import link
from shared.runtime.keys import LANES, RENDER_GROUP, ArticleKeys
from shared.runtime.lanes import Lanes
from tests.builders import Envelope, corrected, posted, published, retracted
from tests.stack import Stack
from tests.waiting import until_sync

PATIENCE_SECONDS = 60.0
TOGETHER = 3
"""Events a request: enough for some to be stored and others not."""
STRANDING_TRIES = 20
REPEATED = 4
"""One request in so many is sent once more after it was acknowledged."""

Receipt = dict[str, Any]


def coverage(slug: str, events: int) -> list[Envelope]:
    """Return a live article: it opens, then updates of which some are corrected, some retracted."""
    story = [published(f"The story of {slug}", slug=slug)]
    for number in range(1, events):
        match number % 5:
            case 3:
                story.append(corrected(f"u{number - 1}", f"Rather {number}.", slug=slug))
            case 0:
                story.append(retracted(f"u{number - 4}", slug=slug))
            case _:
                story.append(posted(f"u{number}", f"News {number} of {slug}.", slug=slug))
    return story


@dataclass
class Newsroom:
    """Files whole coverages at *url*, several at a time, each in its order."""

    url: str
    intents: list[Envelope] = field(default_factory=list)
    receipts: dict[tuple[str, str], Receipt] = field(default_factory=dict)
    done: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def file(self, coverages: Sequence[Sequence[Envelope]], at_once: int = 4) -> None:
        """Return when everything is acknowledged. Raises AssertionError for a refusal."""
        try:
            with ThreadPoolExecutor(at_once) as desks:
                list(desks.map(self._file, coverages))
        finally:
            self.done = True

    def acknowledged(self) -> int:
        """How many events are stored, as far as we were told."""
        return len(self.receipts)

    def _file(self, story: Sequence[Envelope]) -> None:
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=15.0) as client:
            for start in range(0, len(story), TOGETHER):
                some = story[start : start + TOGETHER]
                with self._lock:
                    self.intents.extend(some)
                self._insist(client, some)
                if start // TOGETHER % REPEATED == 0:
                    self._repeat(client, some)

    def _insist(self, client: httpx2.Client, events: Sequence[Envelope]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while open_ := [event for event in events if _name(event) not in self.receipts]:
            assert time.monotonic() < deadline, f"no receipt for {[_name(e) for e in open_]}"
            for event, receipt in zip(open_, _post(client, open_), strict=False):
                self._take(event, receipt)

    def _repeat(self, client: httpx2.Client, events: Sequence[Envelope]) -> None:
        for event, receipt in zip(events, _post(client, events), strict=False):
            if receipt["status"] != "unknown":
                first = self.receipts[_name(event)]
                assert receipt["status"] == "duplicate", receipt
                assert receipt["seq"] == first["seq"]

    def _take(self, event: Envelope, receipt: Receipt) -> None:
        if receipt["status"] in ("accepted", "duplicate"):
            with self._lock:
                self.receipts[_name(event)] = receipt
        else:
            code = receipt["problem"]["code"]
            # What follows an event whose outcome is open may be refused for it.
            assert code in ("busy", "durability-timeout", "unknown-article", "unknown-update"), code


def _name(event: Envelope) -> tuple[str, str]:
    return event["subject"], event["id"]


def _post(client: httpx2.Client, events: Sequence[Envelope]) -> Sequence[Receipt]:
    """Return the receipts, none at all if the request had no outcome."""
    try:
        answer = client.post(
            "/v1/events",
            content=b"\n".join(map(orjson.dumps, events)),
            headers={"content-type": "application/x-ndjson"},
        )
    except httpx2.TransportError:
        return ()
    if answer.status_code == 503:
        return ()
    assert answer.status_code in (202, 207), answer.text
    receipts: list[Receipt] = answer.json()["receipts"]
    return receipts


@dataclass(frozen=True)
class Attack:
    """Kill the process with *what* in its command line once *when* events are acknowledged."""

    when: int
    what: str


def under_fire(stack: Stack, newsroom: Newsroom, attacks: Sequence[Attack]) -> Iterator[int]:
    """Carry out *attacks* while the newsroom files, and yield whom each killed."""
    for attack in attacks:
        yield _carry_out(stack, newsroom, attack)


def _carry_out(stack: Stack, newsroom: Newsroom, attack: Attack) -> int:
    until_sync(lambda: newsroom.acknowledged() >= attack.when or newsroom.done, PATIENCE_SECONDS)
    victim = until_sync(lambda: min(stack.processes(attack.what), default=0), PATIENCE_SECONDS)
    os.kill(victim, signal.SIGKILL)
    until_sync(lambda: victim not in stack.processes())
    return victim


def strand(stack: Stack, newsroom: Newsroom, story: list[Envelope], what: str) -> None:
    """Kill those with *what* in their command lines while they hold the last wake-up of *story*.

    The engine hands a wake-up to whoever waits for one, halted or not. The dead never ack it, and
    nothing comes after it that would bring the article up.
    """
    slug = story[0]["subject"]
    engine = Engine.open(stack.redis_url)
    for number in range(STRANDING_TRIES):
        until_sync(_is_rendered(engine, slug, len(story)), PATIENCE_SECONDS)
        victims = list(stack.processes(what))
        _signal(victims, signal.SIGSTOP)
        story.append(posted(f"late-{number}", slug=slug))
        newsroom.file([story[-1:]])
        if engine.holders(slug) & set(victims):
            _signal(victims, signal.SIGKILL)
            break
        _signal(victims, signal.SIGCONT)  # none of them was waiting just then
    else:
        raise AssertionError("no renderer ever waited for a wake-up")
    engine.client.close()


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


@dataclass
class Engine:
    """What the engine holds, read behind everybody's back."""

    client: redis.Redis
    lanes: Lanes

    @classmethod
    def open(cls, url: str) -> Engine:
        client = redis.Redis.from_url(url, protocol=2)
        tags: Any = client.lrange(LANES, 0, -1)
        return cls(client, Lanes(tuple(tag.decode() for tag in tags)))

    def keys(self, slug: str) -> ArticleKeys:
        return self.lanes.of(slug).article(slug)

    def ledger(self, slug: str) -> list[bytes]:
        records: Any = self.client.lrange(self.keys(slug).ledger, 0, -1)
        return list(records)

    def holders(self, slug: str) -> set[int]:
        """Return the renderers that have taken a wake-up in the article's lane and not acked it."""
        consumers: Any = self.client.xinfo_consumers(self.lanes.of(slug).events, RENDER_GROUP)
        return {int(each["name"].rpartition(b"-")[2]) for each in consumers if each["pending"]}

    def version(self, slug: str) -> tuple[int, int]:
        """Return what is filed and what is rendered."""
        seq, version = self.client.hmget(self.keys(slug).article, "seq", "version")
        return int(seq or 0), int(version or 0)


def check(stack: Stack, newsroom: Newsroom, coverages: Mapping[str, Sequence[Envelope]]) -> None:
    """Hold everything that is stored and served to what was acknowledged.

    Raises AssertionError for a promise that is broken.
    """
    engine = Engine.open(stack.redis_url)
    for slug, story in coverages.items():
        records = engine.ledger(slug)
        _check_ledger(newsroom, story, records)
        until_sync(_is_rendered(engine, slug, len(records)), PATIENCE_SECONDS)
        _check_pages(stack, replay(slug, [load_entry(record) for record in records]))
    engine.client.close()


def _check_ledger(newsroom: Newsroom, story: Sequence[Envelope], records: Sequence[bytes]) -> None:
    """Each acknowledged event is there once, in order, where its receipt says; nothing else is."""
    found = [orjson.loads(record) for record in records]
    assert [entry["event"]["id"] for entry in found] == [event["id"] for event in story]
    chain = ""
    for seq, (entry, event) in enumerate(zip(found, story, strict=True), start=1):
        chain = link(chain, seq, entry["fingerprint"])
        receipt = newsroom.receipts[_name(event)]
        assert (entry["seq"], entry["chain"]) == (seq, chain)
        assert (receipt["seq"], receipt["chain"]) == (seq, chain)


def _is_rendered(engine: Engine, slug: str, seq: int) -> Callable[[], bool]:
    return lambda: engine.version(slug) == (seq, seq)


def _check_pages(stack: Stack, article: Article) -> None:
    slug = article.head.slug
    until_sync(lambda: stack.get(f"/articles/{slug}.json").status_code == 200, PATIENCE_SECONDS)
    assert stack.get(f"/articles/{slug}.txt").content == text.page(article).encode()
    assert stack.get(f"/articles/{slug}.json").content == json.dumps(json.article(article))


def verify(stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run `writethru verify` on the stack's data, beside the stack."""
    command = [sys.executable, "-m", "services.cli", "verify", "--data-dir", str(stack.data)]
    return subprocess.run(command, check=False, capture_output=True, text=True)
