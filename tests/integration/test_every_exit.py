"""Whatever was taken back, or is not to be known yet, leaves by no exit: real processes, by chance.

Every piece of copy carries a word of its own. A plain model says which words must not be read any
more; then every address of deliver is asked, in every format, from every version and cursor, and
the ledger, and all that the services logged.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations, count
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from shared.contract.access import Scope
from shared.runtime.api_keys import create
from shared.runtime.redis import connect
from tests import builders
from tests.builders import Envelope
from tests.listening import Hook, listening
from tests.stack import Stack
from tests.waiting import until_sync

#: `EXITS=500 pytest tests/integration/test_every_exit.py` looks longer.
COVERAGES = int(os.environ.get("EXITS", "8"))
FEEDS = (".atom", ".feed.json", ".rss")
FORMATS = ("", ".html", ".txt", ".json", ".md", ".ninjs.json", *FEEDS)
MAX_EVENTS = 9

_serial = count(1)

acts = st.tuples(
    st.sampled_from(
        ["post"] * 5 + ["correct", "revise", "pin"] * 2
        + ["retract", "retract", "redact", "hold", "writethru", "close", "reopen"]
    ),
    st.integers(0, 99),
)  # fmt: skip
plans = st.tuples(st.lists(acts, min_size=3, max_size=MAX_EVENTS), st.booleans())


@dataclass
class Story:
    """One article's events, and the words that must not be read any more."""

    slug: str
    updates: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    retracted: set[str] = field(default_factory=set)
    closed: bool = False

    def word(self) -> str:
        self.words.append(f"canary{secrets.token_hex(8)}")
        return self.words[-1]

    def opening(self) -> Envelope:
        return builders.published(
            self.word(), f"Text {self.word()}.", slug=self.slug, summary=self.word(),
            section=self.word(), tags=[self.word()], authors=[self.word()],
            image={"url": f"https://{self.word()}.example/1.jpg", "alt": self.word()},
        )  # fmt: skip

    def act(self, name: str, which: int) -> Envelope | None:
        """Return the event of an act, or nothing where it would be refused."""
        match name:
            case "post" | "hold" if not self.closed:
                return self._post(held=name == "hold")
            case "writethru":
                words = {"headline": self.word(), "summary": self.word(), "body": self.word()}
                return builders.writethru(slug=self.slug, note=self.word(), **words)
            case "close" | "reopen":
                self.closed = name == "close"
                build = builders.closed if self.closed else builders.reopened
                return build(slug=self.slug, note=self.word())
        live = [each for each in self.updates if each not in self.retracted]
        return self._about(name, live[which % len(live)]) if live else None

    def _post(self, *, held: bool) -> Envelope:
        update_id = f"u{next(_serial)}"
        copy = [self.word() for _ in range(6)]
        until = (datetime.now(UTC) + timedelta(hours=9)).isoformat()
        if held:
            self.gone |= set(copy)
        else:
            self.updates[update_id], self.notes[update_id] = copy, []
        return builders.posted(
            update_id, f"It *happened*: {copy[0]}.", slug=self.slug, headline=copy[1],
            authors=[copy[2]], images=[{"url": "https://a.example/1", "alt": copy[3]}],
            sources=[{"n": 1, "url": f"https://{copy[4]}.example/", "title": copy[5]}],
            key_event=True, **({"embargo_until": until} if held else {}),
        )  # fmt: skip

    def _about(self, name: str, update_id: str) -> Envelope:
        copy, notes = self.updates[update_id], self.notes[update_id]
        match name:
            case "correct":
                copy.append(self.word())
                notes.append(self.word())
                return builders.corrected(update_id, copy[-1], notes[-1], slug=self.slug)
            case "revise":
                copy += [self.word(), self.word()]
                facts = {"text": copy[-1], "headline": copy[-2]}
                return builders.revised(update_id, slug=self.slug, **facts)
            case "pin":
                return builders.pinned(update_id, slug=self.slug)
        self.retracted.add(update_id)
        self.gone |= {*copy, *(notes if name == "redact" else ())}
        build = builders.redacted if name == "redact" else builders.retracted
        return build(update_id, self.word(), slug=self.slug)

    def kill(self) -> Envelope:
        self.gone |= set(self.words)
        return builders.killed(self.word(), slug=self.slug)


class Newsroom:
    """Who files, and who reads with a key that may no more than read."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.cursor = ""
        self.gone: set[str] = set()
        keys = asyncio.run(_keys(stack.redis_url))
        self.editor, self.reader = ({"authorization": f"Bearer {key}"} for key in keys)
        self.http = httpx2.Client(trust_env=False, timeout=30)

    def file(self, envelope: Envelope) -> int:
        """File one event; return its seq, 0 for one that is held."""
        answer = self.http.post(
            f"{self.stack.ingest}/v1/events",
            content=orjson.dumps(envelope),
            headers=self.editor | {"content-type": "application/cloudevents+json"},
        )
        assert answer.status_code == 202, answer.text
        return int(answer.json()["receipts"][0].get("seq") or 0)

    def get(self, path: str, at: str = "", **headers: str) -> str:
        """Return all that comes back: status, headers, body."""
        url = f"{at or self.stack.deliver}{path}"
        answer = self.http.get(url, headers=self.reader | headers)
        assert answer.status_code in (200, 204, 302, 404, 410), (path, answer.text)
        return f"{answer.status_code} {answer.headers!r} {answer.text}"

    def subscribe(self, hook: Hook) -> None:
        """Have *hook* told all by webhook, what changed too."""
        wish = {"url": hook.url, "payload": "full"}
        answer = self.http.post(
            f"{self.stack.deliver}/v1/subscriptions", json=wish, headers=self.reader
        )
        assert answer.status_code == 201, answer.text
        self.hook, self.subscription = hook, answer.json()["id"]

    def replayed(self, slug: str, last: int) -> str:
        """Have the story told again from its beginning, and return all that was said of it.

        Also what is shown of that, to who may see it.
        """
        self.hook.got.clear()
        path = f"/v1/subscriptions/{self.subscription}"
        answer = self.http.post(
            f"{self.stack.deliver}{path}/replay", json={"article": slug}, headers=self.reader
        )
        assert answer.status_code == 202, answer.text
        until_sync(lambda: any(self._reaches(body, slug, last) for body in list(self.hook.got)))
        said = b"".join(self.hook.got).decode()
        return said + self.get(path) + self.get(f"{path}/dead")

    def _reaches(self, body: bytes, slug: str, last: int) -> bool:
        data: dict[str, Any] = orjson.loads(body)["data"]
        return data["article"] == slug and (
            data.get("to") == last or data.get("status") == "killed"
        )

    def events(self, path: str, last: str = "", until: tuple[str, int] | None = None) -> str:
        """Return what a stream says first, or up to the version of an article."""
        said = ""
        headers = {"last-event-id": last} if last else {}
        with self.http.stream("GET", f"{self.stack.deliver}{path}", headers=headers) as answer:
            for line in answer.iter_lines():
                said += line + "\n"
                if line.startswith("id: ") and until:
                    self.cursor = line.removeprefix("id: ")
                if line.startswith("data: ") and (until is None or _reaches(line, until)):
                    return said
        return said


def _reaches(line: str, until: tuple[str, int]) -> bool:
    data = orjson.loads(line.removeprefix("data: "))
    return (data.get("article"), data.get("to")) == until


async def _keys(url: str) -> list[str]:
    scopes: list[tuple[Scope, ...]] = [("admin",), ("read",)]
    async with connect(url) as redis:
        return [(await create(redis, "a desk", each))[1] for each in scopes]


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    folder = tmp_path_factory.mktemp("exits")
    allowed = {"WRITETHRU_OUTBOUND_ALLOW": "127.0.0.0/8"}
    stack = Stack(folder, WRITETHRU_LOG_LEVEL="debug", **allowed)
    try:
        with listening() as hook:
            newsroom = Newsroom(stack.ready())
            newsroom.subscribe(hook)
            _find_a_cursor(newsroom)
            yield newsroom
        newsroom.http.close()
        stack.end()
        assert _found(newsroom.gone, stack.said() + (stack.data / "engine.log").read_text()) == []
    finally:
        stack.clear()


def _find_a_cursor(newsroom: Newsroom) -> None:
    """Have a place in the stream of all articles, from before the first story."""
    newsroom.cursor = "nowhere"
    said = newsroom.events("/live", last="nowhere")
    newsroom.cursor = said.partition("id: ")[2].partition("\n")[0]
    assert newsroom.cursor


TAKEN_BACK = [("post", 0), ("correct", 0), ("hold", 0), ("post", 0), ("redact", 1), ("retract", 0)]
KILLED = [("post", 0), ("writethru", 0), ("retract", 0), ("post", 0)]


@given(plans)
@example((TAKEN_BACK, False))
@example((KILLED, True))
@settings(
    max_examples=COVERAGES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # to shrink takes a story a step
)
@pytest.mark.timeout(60 + 15 * COVERAGES)
def test_nothing_that_was_taken_back_or_is_held_leaves_by_any_exit(
    newsroom: Newsroom, plan: tuple[list[tuple[str, int]], bool]
) -> None:
    # given a coverage, and what was taken back in the course of it
    story = Story(f"story-{next(_serial)}")
    last = newsroom.file(story.opening())
    for name, which in plan[0]:
        if envelope := story.act(name, which):
            last = newsroom.file(envelope) or last
    if plan[1]:
        until_sync(lambda: _version(newsroom, story.slug) == last)
        last = newsroom.file(story.kill())
        until_sync(lambda: newsroom.get(f"/articles/{story.slug}.txt").startswith("410"))
    else:
        until_sync(lambda: _version(newsroom, story.slug) == last)
    newsroom.gone |= story.gone
    # when every exit is looked at
    said = dict(_exits(newsroom, story, last))
    # then there is nothing of it
    leaks = {place: found for place, text in said.items() if (found := _found(story.gone, text))}
    assert leaks == {}
    # and what may be read is there
    left = set(story.words) - story.gone
    assert set(_found(left, "".join(said.values()))) == left


def _found(words: set[str], text: str) -> list[str]:
    return sorted(word for word in words if word in text)


def _version(newsroom: Newsroom, slug: str) -> int:
    answer = newsroom.http.get(f"{newsroom.stack.deliver}/articles/{slug}.json")
    return int(answer.json().get("version", 0)) if answer.status_code == 200 else 0


def _exits(newsroom: Newsroom, story: Story, last: int) -> Iterator[tuple[str, str]]:
    """Yield every exit with all that it says."""
    for path in _paths(story, last):
        yield path, newsroom.get(path)
    article = f"/articles/{story.slug}"
    for since in range(last):
        for form in ("json", "html"):
            path = f"{article}/live?since={since}&form={form}"
            yield path, newsroom.events(path)
    before = newsroom.cursor
    yield "/live", newsroom.events("/live", last=before, until=(story.slug, last))
    yield "webhooks", newsroom.replayed(story.slug, last)
    ledger = f"/v1{article}/events"
    yield ledger, newsroom.get(ledger, newsroom.stack.ingest)


def _paths(story: Story, last: int) -> Iterator[str]:
    yield from ("/", "/latest.json", "/sitemap-news.xml")
    yield from (f"/latest{ending}" for ending in FEEDS)
    article = f"/articles/{story.slug}"
    yield from (f"{article}{ending}" for ending in (*FORMATS, ".fragment.html"))
    yield from (f"{article}/pages/1", f"{article}/corrections", f"{article}/corrections.json")
    yield from (f"{article}/updates/{update_id}" for update_id in story.updates)
    for since in range(last + 1):
        yield from (f"{article}/changes?since={since}&form={form}" for form in ("json", "html"))
    history = f"{article}/versions"
    for number in range(1, last + 1):
        yield from (f"{history}/{number}{ending}" for ending in FORMATS)
    for before, after in combinations(range(1, last + 1), 2):
        yield from (f"{history}/{before}..{after}{ending}" for ending in (".html", ".json"))
    yield from (f"{history}.json", f"{article}.txt?at=2999-01-01T00:00:00Z")
