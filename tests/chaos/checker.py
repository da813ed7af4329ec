"""After the smoke has gone: what is stored and served against what the client wrote down.

`writethru verify` holds the installation to I1 to I5. Here is what only a client can know:

* I6: what was acknowledged is in the ledger, where its receipt says; what was held, too, or it fell
  with its article. Nothing is there that nobody meant.
* order: what a desk filed after it had the receipt of something stands behind that.
* pages: as text and JSON they are the fold of their ledger, and nothing else.
* I7: what a subscriber held at a version is the fold of the events up to it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import redis

from shared.article.fold import replay
from shared.article.formats import json, text
from shared.article.stored import load_entry
from shared.runtime.keys import LANES, ArticleKeys
from shared.runtime.lanes import Lanes
from tests.chaos.findings import Findings

Json = dict[str, Any]


@dataclass
class Client:
    """What the client wrote down of one article: what it meant, in its order, and was told."""

    meant: list[str] = field(default_factory=list)
    embargoed: set[str] = field(default_factory=set)
    told: dict[str, Json] = field(default_factory=dict)


def read_journal(path: Path) -> dict[str, Client]:
    """Read it by article."""
    found: dict[str, Client] = {}
    with path.open("rb") as lines:
        for line in lines:
            entry = orjson.loads(line)
            if event := entry.get("meant"):
                client = found.setdefault(event["subject"], Client())
                client.meant.append(event["id"])
                if "embargo_until" in event["data"]:
                    client.embargoed.add(event["id"])
            else:
                told = entry["told"]
                found[told["article"]].told[told["id"]] = told
    return found


def verify(url: str, findings: Findings) -> None:
    """Run `writethru verify` on the engine at *url*."""
    command = [sys.executable, "-m", "services.cli", "verify", "--redis-url", url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        for line in done.stdout.splitlines() or done.stderr.splitlines():
            findings.add("verify", line)


class Checker:
    """Reads the engine behind everybody's back, and deliver as readers do."""

    def __init__(self, url: str, deliver: str, findings: Findings) -> None:
        self._redis = redis.Redis.from_url(url, protocol=2)
        tags: Any = self._redis.lrange(LANES, 0, -1)
        self._lanes = Lanes(tuple(tag.decode() for tag in tags))
        self._http = httpx2.Client(base_url=deliver, trust_env=False, timeout=30.0)
        self._findings = findings
        self.ledgers = 0
        self.events = 0
        self.pages = 0

    def keys(self, slug: str) -> ArticleKeys:
        return self._lanes.of(slug).article(slug)

    def behind(self, slugs: Sequence[str]) -> list[str]:
        """Return those whose page is not what is filed."""
        with self._redis.pipeline(transaction=False) as reads:
            for slug in slugs:
                reads.hmget(self.keys(slug).article, "seq", "version")
            found = reads.execute()
        return [slug for slug, (seq, version) in zip(slugs, found, strict=True) if seq != version]

    def versions(self, slugs: Sequence[str]) -> dict[str, int]:
        """Return where each article is that has not been killed."""
        with self._redis.pipeline(transaction=False) as reads:
            for slug in slugs:
                reads.hmget(self.keys(slug).article, "version", "status")
            found = reads.execute()
        return {
            slug: int(version or 0)
            for slug, (version, status) in zip(slugs, found, strict=True)
            if status != b"killed"
        }

    def holding(self, slugs: Sequence[str]) -> int:
        """Return how many events are held."""
        with self._redis.pipeline(transaction=False) as reads:
            for slug in slugs:
                reads.hlen(self.keys(slug).holds)
            return sum(reads.execute())

    def check(self, slug: str, client: Client) -> None:
        """Hold one article to what the client wrote down of it."""
        records: Any = self._redis.lrange(self.keys(slug).ledger, 0, -1)
        found = [orjson.loads(record) for record in records]
        for rule, said in (*_ledger(client, found), *self._pages(slug, records)):
            self._findings.add(rule, f"{slug}: {said}")
        self.ledgers += 1
        self.events += len(found)

    def snapshot(self, document: Json) -> None:
        """Hold what a subscriber had of an article to what the ledger gives at that version."""
        slug, version = document["article"], document["version"]
        records: Any = self._redis.lrange(self.keys(slug).ledger, 0, version - 1)
        article = replay(slug, [load_entry(record) for record in records])
        if document != orjson.loads(json.dumps(json.article(article))):
            self._findings.add("I7", f"{slug}: what a reader had at {version} is not its fold")

    def _pages(self, slug: str, records: Sequence[bytes]) -> Iterator[tuple[str, str]]:
        if not records:
            return
        article = replay(slug, [load_entry(record) for record in records])
        page = self._http.get(f"/articles/{slug}.txt")
        if page.content != text.page(article).encode():
            yield "pages", f"the text of version {len(records)} is not its ledger's fold"
        self.pages += 1
        if article.head.status != "killed":
            facts = self._http.get(f"/articles/{slug}.json")
            if facts.content != json.dumps(json.article(article)):
                yield "pages", f"the JSON of version {len(records)} is not its ledger's fold"
            self.pages += 1

    def close(self) -> None:
        self._http.close()
        self._redis.close()


def _ledger(client: Client, found: Sequence[Json]) -> Iterator[tuple[str, str]]:
    ids = [entry["event"]["id"] for entry in found]
    if len(set(ids)) < len(ids):
        yield "once", "an event is in the ledger twice"
    if strays := set(ids) - set(client.meant):
        yield "once", f"nobody meant {sorted(strays)[:3]}"
    killed = any(entry["event"]["type"] == "writethru.article.killed" for entry in found)
    for event_id, told in client.told.items():
        seq = told["seq"]
        if seq is None:  # held: by now it is released, or fell with its article
            if event_id not in ids and not killed:
                yield "I6", f"{event_id} was held, and is lost"
        elif seq > len(found) or ids[seq - 1] != event_id:
            yield "I6", f"{event_id} was acknowledged as event {seq}, and is lost"
        elif told["chain"] != found[seq - 1]["chain"]:
            yield "I6", f"the receipt of event {seq} has another chain than the ledger"
    # What was under embargo has its place when that ended, though its receipt may come after that.
    known = [client.told[each] for each in client.meant if each in client.told]
    placed = [each["seq"] for each in known if each["id"] not in client.embargoed and each["seq"]]
    if placed != sorted(placed):
        yield "order", "events stand in another order than they were filed in"
