"""A newsroom that files under fire, and what must be true when the smoke has gone.

The newsroom keeps two logs: what it meant to file, before it files it, and what was acknowledged.
It goes on sending what is not acknowledged, always under the same ids, and repeats at times what
is, as a client does that lost the answer.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson

from tests.builders import Envelope, corrected, posted, published, retracted
from tests.stack import Stack

PATIENCE_SECONDS = 60.0
TOGETHER = 3
"""Events a request: enough for some to be stored and others not."""
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


def verify(stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run `writethru verify` on the stack's data, beside the stack."""
    command = [sys.executable, "-m", "services.cli", "verify", "--data-dir", str(stack.data)]
    return subprocess.run(command, check=False, capture_output=True, text=True)
