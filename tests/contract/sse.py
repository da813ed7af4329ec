"""Live streams: `python -m tests.contract.sse --url https://live.example --article ferry-strike`.

It only reads, so any server may be asked. The article should have some versions. With `--ingest`
it files as well, under an article's name that nobody uses: what is to reach who is connected.
"""

from __future__ import annotations

import argparse
import re
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson

from tests.contract.checking import Result, Rules, SkippedError, need, tell
from tests.waiting import until_sync

RULES: Rules[Asked] = Rules()
_ID = re.compile(r"[0-9]+\.[0-9a-f]{12}")
_FIELDS = ("id", "event", "data", "retry")
#: For how long a stream is listened to that should say nothing.
SILENCE = 1.0
PATIENCE = 20.0
#: Proxies close what is silent for a minute, so a heartbeat has to come well before.
HEARTBEAT = 45.0


@dataclass(frozen=True)
class Event:
    kind: str
    id: str
    data: Any


@dataclass
class Asked:
    """A server, and one of its articles. *key* is sent where not everybody may read.

    *ingest* is where events may be filed, with *publisher*; *heartbeat* how long one is waited for.
    """

    url: str
    article: str
    key: str = ""
    ingest: str = ""
    publisher: str = ""
    heartbeat: float = HEARTBEAT
    beat: Future[bool] | None = None
    http: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        self.http = httpx2.Client(
            base_url=self.url, headers=headers, timeout=PATIENCE, trust_env=False
        )

    @property
    def path(self) -> str:
        return f"/articles/{self.article}"

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return self.http.get(path, headers=headers)

    def document(self) -> Any:
        return self.get(f"{self.path}.json").json()

    def mark(self) -> str:
        """Return where the article is, as an id of its stream."""
        document = self.document()
        return f"{document['version']}.{document['chain'][:12]}"

    def file(self, article: str, kind: str, **data: Any) -> None:
        """File an event; AssertionError unless it is accepted."""
        event = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/conformance",
                 "type": f"writethru.{kind}", "subject": article, "data": data}  # fmt: skip
        answer = httpx2.post(
            f"{self.ingest}/v1/events",
            content=orjson.dumps(event),
            headers={"content-type": "application/cloudevents+json"}
            | ({"authorization": f"Bearer {self.publisher}"} if self.publisher else {}),
            trust_env=False,
        )
        need(answer.status_code == 202, f"filing answers {answer.status_code}: {answer.text[:80]}")

    def opened(self) -> str:
        """Open an article of our own and return its slug, once there is a page of it."""
        if not self.ingest:
            raise SkippedError("nothing may be filed; --ingest says where")
        slug = f"conformance-{uuid.uuid4().hex[:12]}"
        self.file(slug, "article.published", headline="Conformance", body="It is asked.")
        until_sync(lambda: self.get(f"/articles/{slug}.json").status_code == 200, PATIENCE)
        return slug

    @contextmanager
    def live(
        self, path: str, *, last: str = "", patience: float = PATIENCE
    ) -> Iterator[httpx2.Response]:
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
        timeout = httpx2.Timeout(PATIENCE, read=patience)
        with self.http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            yield answer

    def first(self, path: str, *, last: str = "") -> Event:
        """Return the first event of a stream."""
        with self.live(path, last=last) as answer:
            need(answer.status_code == 200, f"{path} answers {answer.status_code}")
            return next(events(answer))

    def silent(self, path: str, *, last: str = "") -> None:
        """See that a stream is open and has no event."""
        try:
            with self.live(path, last=last, patience=SILENCE) as answer:
                need(answer.status_code == 200, f"{path} answers {answer.status_code}")
                event = next(events(answer), None)
        except httpx2.ReadTimeout:
            return
        need(event is None, f"there was an event, {event and event.kind}, where nothing is new")
        raise AssertionError("the stream ended at once")

    def beats(self) -> bool:
        """Whether a stream that says nothing has a comment in time."""
        with self.live(f"{self.path}/live", patience=self.heartbeat) as answer:
            lines = blocks(answer)
            next(lines)  # what a stream begins with keeps nothing in use
            return any(line.startswith(":") for block in lines for line in block)


def blocks(answer: httpx2.Response) -> Iterator[list[str]]:
    """Yield the blocks of a stream, each as its lines."""
    text = ""
    for part in answer.iter_text():
        *whole, text = (text + part).split("\n\n")
        yield from (block.split("\n") for block in whole)


def events(answer: httpx2.Response) -> Iterator[Event]:
    """Yield the events of a stream that have data."""
    yield from told_in(blocks(answer))


def told_in(found: Iterator[list[str]]) -> Iterator[Event]:
    """Yield the events with data among the blocks *found*."""
    for block in found:
        facts = dict(line.split(": ", 1) for line in block if line and not line.startswith(":"))
        if "data" in facts:
            data = orjson.loads(facts["data"])
            yield Event(facts.get("event", "message"), facts.get("id", ""), data)


@RULES.rule("a stream is text/event-stream that nobody keeps or gathers")
def _headers(asked: Asked) -> None:
    with asked.live(f"{asked.path}/live") as answer:
        need(answer.status_code == 200, f"it answers {answer.status_code}")
        kind = answer.headers.get("content-type", "")
        need(kind.startswith("text/event-stream"), f"Content-Type is {kind!r}")
        kept = answer.headers.get("cache-control", "")
        need("no-store" in kept or "no-cache" in kept, f"Cache-Control is {kept!r}")
        need(answer.headers.get("x-accel-buffering") == "no", "X-Accel-Buffering is not no")
        need("content-encoding" not in answer.headers, "it is compressed")


@RULES.rule("it begins by saying how long to wait before coming back")
def _retry(asked: Asked) -> None:
    with asked.live(f"{asked.path}/live?since=0") as answer:
        first = next(blocks(answer))
    found = [int(line.removeprefix("retry: ")) for line in first if line.startswith("retry: ")]
    need(found, "there is no retry")
    need(100 <= found[0] <= 60_000, f"retry is {found[0]} ms")


@RULES.rule("every line is a field of the standard or a comment")
def _lines(asked: Asked) -> None:
    with asked.live(f"{asked.path}/live?since=0") as answer:
        for block in blocks(answer):
            for line in block:
                known = line.startswith(":") or line.partition(":")[0] in _FIELDS
                need(known, f"{line[:40]!r} is no field")
            if any(line.startswith("data") for line in block):
                return


@RULES.rule("a reader of version 0 is told all at once, up to the present version")
def _from_nothing(asked: Asked) -> None:
    event = asked.first(f"{asked.path}/live?since=0")
    if event.kind == "reset":
        raise SkippedError("the article has more changes than are told at once")
    need(event.kind == "change", f"the event is {event.kind!r}")
    _check_change(event, asked.article, 0)
    need(event.id == asked.mark(), f"it ends at {event.id}, and .json is at {asked.mark()}")


@RULES.rule("what a reader is told makes what .json has")
def _makes_the_article(asked: Asked) -> None:
    told = asked.first(f"{asked.path}/live?since=0")
    if told.kind == "reset":
        raise SkippedError("the article has more changes than are told at once")
    document = asked.document()
    order: list[str] = []
    known: dict[str, Any] = {}
    for change in told.data["changes"]:
        update = change["update"]
        name, after = update["update_id"], change["after"]
        order.insert(order.index(after) + 1 if after is not None else 0, name)
        known[name] = update
    need(order == [each["update_id"] for each in document["updates"]], "the order differs")
    need([known[name] for name in order] == document["updates"], "an update differs")
    need(told.data.get("body") == document["body"], "the body differs")


@RULES.rule("a reader of any version is told from there to the present one, and as changes says")
def _from_each(asked: Asked) -> None:
    version = asked.document()["version"]
    for since in sorted({1, version // 3, version // 2, version - 1} - {0, version}):
        event = asked.first(f"{asked.path}/live?since={since}")
        if event.kind == "change":
            _check_change(event, asked.article, since)
        polled = asked.get(f"{asked.path}/changes?since={since}").json()
        need(polled == event.data, f"changes?since={since} says something else")


@RULES.rule("a reader who has everything is told nothing")
def _nothing_new(asked: Asked) -> None:
    mark = asked.mark()
    asked.silent(f"{asked.path}/live?since={mark}")
    answer = asked.get(f"{asked.path}/changes?since={mark}")
    need(answer.status_code == 204, f"changes answers {answer.status_code}, not 204")


@RULES.rule("Last-Event-ID says where a reader is, and more than the address does")
def _last_event_id(asked: Asked) -> None:
    asked.silent(f"{asked.path}/live?since=0", last=asked.mark())
    version = asked.document()["version"]
    event = asked.first(f"{asked.path}/live?since={asked.mark()}", last=f"{version - 1}")
    need(event.kind == "reset" or event.data["from"] == version - 1, "it goes on from elsewhere")


@RULES.rule("who comes without a version is told of what comes next only")
def _without(asked: Asked) -> None:
    asked.silent(f"{asked.path}/live")


@RULES.rule("a history that is not the server's is answered by reset, with the one that is")
def _foreign(asked: Asked) -> None:
    version = asked.document()["version"]
    for since in (f"{version}.{'0' * 12}", f"1.{'f' * 12}", f"{version + 1_000_000}"):
        event = asked.first(f"{asked.path}/live?since={since}")
        need(event.kind == "reset", f"since={since} is answered by {event.kind}")
        need(event.data["article"] == asked.article, "reset names another article")
        need(event.data["chain"].startswith(event.id.partition(".")[2]), "its id is another one")
        need(event.data["to"] == version, f"reset is to {event.data['to']}")
        polled = asked.get(f"{asked.path}/changes?since={since}").json()
        need(polled["reset"] is True and not polled.get("changes"), "changes says no reset")


@RULES.rule("what is no version is 400, and what is no article 404, before a stream begins")
def _refused(asked: Asked) -> None:
    for path, status in (
        (f"{asked.path}/live?since=x", 400),
        (f"{asked.path}/changes?since=-1", 400),
        ("/articles/there-is-no-such-article-at-all/live", 404),
    ):
        with asked.live(path) as answer:
            need(answer.status_code == status, f"{path} answers {answer.status_code}")


@RULES.rule("HEAD says what GET would, and ends")
def _head(asked: Asked) -> None:
    answer = asked.http.head(f"{asked.path}/live")
    need(answer.status_code == 200, f"it answers {answer.status_code}")
    need(answer.headers["content-type"].startswith("text/event-stream"), "the type differs")


@RULES.rule("the stream of all articles goes on where a reader was, and starts over if it can't")
def _firehose(asked: Asked) -> None:
    event = asked.first("/live?since=not-an-id")
    need(event.kind == "reset", f"a foreign id is answered by {event.kind}")
    need(event.id, "reset has no id")
    asked.silent("/live", last=event.id)


@RULES.rule("a stream that has nothing to say is kept in use by comments")
def _heartbeat(asked: Asked) -> None:
    if asked.beat is None:
        raise SkippedError("it was not waited for")
    need(asked.beat.result(), f"there is none within {asked.heartbeat:.0f} s")


@RULES.rule("what is filed reaches who is connected, as changes says, and who follows all articles")
def _reaches(asked: Asked) -> None:
    slug = asked.opened()
    with asked.live(f"/articles/{slug}/live") as answer, asked.live("/live") as everything:
        lines, all_lines = blocks(answer), blocks(everything)
        next(lines), next(all_lines)
        asked.file(slug, "update.posted", update_id="u1", text="It answers.")
        event = next(told_in(lines))
        need(event.kind == "change", f"the event is {event.kind!r}")
        _check_change(event, slug, 1)
        need([each["kind"] for each in event.data["changes"]] == ["added"], "it is not added")
        polled = asked.get(f"/articles/{slug}/changes?since=1").json()
        need(polled == event.data, "changes says something else")
        thin = next(each for each in told_in(all_lines) if each.data.get("article") == slug)
        need((thin.data["from"], thin.data["to"]) == (1, 2), "/live says something else")
    asked.file(slug, "article.killed", note="It was asked.")


@RULES.rule("a kill is told to who is connected, and ends the stream for good")
def _kill(asked: Asked) -> None:
    slug = asked.opened()
    with asked.live(f"/articles/{slug}/live") as answer:
        lines = blocks(answer)
        next(lines)
        asked.file(slug, "article.killed", note="It was asked.")
        told = list(told_in(lines))
    need([each.kind for each in told] == ["killed"], f"it says {[each.kind for each in told]}")
    need(told[0].data["status"] == "killed", "the status is another one")
    for path in ("live", "live?since=1", "changes?since=1", "changes"):
        late = asked.get(f"/articles/{slug}/{path}").status_code
        need(late == 410, f"who comes later to {path} is answered {late}")


def _check_change(event: Event, article: str, since: int) -> None:
    data = event.data
    need(_ID.fullmatch(event.id), f"the id {event.id!r} is not <version>.<chain12>")
    version, _, chain12 = event.id.partition(".")
    need(data["article"] == article, "it is about another article")
    need(data["from"] == since, f"it is from {data['from']}, not {since}")
    need(data["to"] == int(version) == data["head"]["version"], "to, id and head differ")
    need(data["chain"].startswith(chain12), "chain and id differ")
    need(data["reset"] is False, "it says reset")
    kinds = {change["kind"] for change in data["changes"]}
    need(kinds <= {"added", "changed", "retracted"}, f"kinds are {kinds}")
    for change in data["changes"]:
        update = change["update"]
        need(since < update["version"] <= data["to"], "an update is of another version")
        gone = update["status"] == "retracted"
        need(gone == (change["kind"] == "retracted"), "kind and status differ")
        need(not gone or "text" not in update, "a retracted update has its text")


def ask(asked: Asked) -> list[Result]:
    """Ask about all rules; the heartbeat is waited for meanwhile."""
    with asked.http, ThreadPoolExecutor(1) as waiting:
        asked.beat = waiting.submit(asked.beats) if asked.heartbeat else None
        return RULES.ask(asked)


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser("python -m tests.contract.sse", description=__doc__)
    parser.add_argument(
        "--url", required=True, help="where deliver is, such as https://live.example"
    )
    parser.add_argument("--article", required=True, help="the slug of an article with versions")
    parser.add_argument("--key", default="", help="a key with the scope read, if one is needed")
    parser.add_argument(
        "--ingest", default="", help="where events may be filed; nothing is if left out"
    )
    parser.add_argument("--publish-key", default="", help="a key with the scopes publish and kill")
    parser.add_argument(
        "--heartbeat", type=float, default=HEARTBEAT, help="seconds to wait for one; 0: don't"
    )
    said = parser.parse_args()
    url, ingest = said.url.rstrip("/"), said.ingest.rstrip("/")
    return tell(ask(Asked(url, said.article, said.key, ingest, said.publish_key, said.heartbeat)))


if __name__ == "__main__":
    sys.exit(main())
