"""Whoever is outside while containers die: a newsroom that files on, and a reader who watches."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import httpx2
import orjson

from services.cli.coverage import load

PATIENCE_SECONDS = 90.0
PAUSE_SECONDS = 0.05
#: What a publisher sends again: the outcome is open, or nothing was stored.
AGAIN = (429, 502, 503, 504)

Receipt = dict[str, Any]


class Newsroom:
    """Files the sample coverage as one article after another, until it is told to stop."""

    def __init__(self, url: str, token: str) -> None:
        self.receipts: dict[str, list[Receipt]] = {}
        self.longest = 0.0
        """Seconds from the first try to a receipt, at most."""
        self._url = url
        self._headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/cloudevents+json",
        }
        self._work = _Work(self._file)
        self.stop = self._work.stop

    def failed(self) -> bool:
        """Whether it has given up; `stop` says why."""
        return self._work.failed()

    def filed(self) -> int:
        """Return how many events were acknowledged."""
        return sum(map(len, list(self.receipts.values())))

    def _file(self, stopped: threading.Event) -> None:
        with httpx2.Client(trust_env=False, timeout=15.0) as client:
            for number in count(1):
                for event in load():
                    if stopped.wait(PAUSE_SECONDS):
                        return
                    slug = f"coverage-{number}"
                    receipt = self._insist(client, event | {"subject": slug})
                    self.receipts.setdefault(slug, []).append(receipt)

    def _insist(self, client: httpx2.Client, event: dict[str, Any]) -> Receipt:
        begun = time.monotonic()
        while time.monotonic() < begun + PATIENCE_SECONDS:
            with suppress(httpx2.TransportError):
                answer = client.post(
                    f"{self._url}/v1/events", content=orjson.dumps(event), headers=self._headers
                )
                if answer.status_code not in AGAIN:
                    assert answer.status_code == 202, answer.text
                    self.longest = max(self.longest, time.monotonic() - begun)
                    receipt: Receipt = answer.json()["receipts"][0]
                    return receipt
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"no receipt for {event['subject']} {event['id']}")


class Reader:
    """Follows `/live`, the changes of all articles, and comes back whenever it is cut off."""

    def __init__(self, url: str) -> None:
        self.cut_off = 0
        self.resets = 0
        self.at: dict[str, int] = defaultdict(int)
        self.gaps: list[str] = []
        self._url = url
        self._last = ""
        self._heard = threading.Event()
        self._work = _Work(self._follow)
        self.stop = self._work.stop

    def listening(self) -> bool:
        """Whether the stream is open."""
        return self._heard.is_set()

    def _follow(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            with suppress(httpx2.TransportError, httpx2.HTTPStatusError):
                for event in self._events():
                    self._take(event)
                    if stopped.is_set():
                        return
            self.cut_off += self._heard.is_set()
            self._heard.clear()
            stopped.wait(PAUSE_SECONDS)

    def _events(self) -> Iterator[dict[str, str]]:
        headers = {"last-event-id": self._last} if self._last else {}
        with httpx2.stream(
            "GET", f"{self._url}/live", headers=headers, trust_env=False, timeout=20.0
        ) as answer:
            answer.raise_for_status()
            self._heard.set()
            event: dict[str, str] = {}
            for line in answer.iter_lines():
                if not line:
                    yield event
                    event = {}
                else:
                    name, _, value = line.partition(": ")
                    event[name] = value

    def _take(self, event: dict[str, str]) -> None:
        self._last = event.get("id", self._last)
        self.resets += event.get("event") == "reset"
        if event.get("event") == "change":
            change = orjson.loads(event["data"])
            slug = change["article"]
            if change["from"] != self.at[slug]:
                self.gaps.append(f"{slug}: from {change['from']}, and we were at {self.at[slug]}")
            self.at[slug] = change["to"]


class _Work:
    """A thread whose failure is raised in whoever stops it."""

    def __init__(self, work: Callable[[threading.Event], None]) -> None:
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def failed(self) -> bool:
        return self._failure is not None

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE_SECONDS)
        if self._failure:
            raise self._failure

    def _run(self, work: Callable[[threading.Event], None]) -> None:
        try:
            work(self._stopped)
        except Exception as failure:  # noqa: BLE001 -- raised again in `stop`
            self._failure = failure
