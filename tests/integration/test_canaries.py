"""Copy and secrets stay out of the logs: unmistakable words are put in everywhere, and looked for.

A whole stack runs with its keys, logging all that it can say, through good days and bad: copy that
is accepted, refused, retracted, killed, damaged, and in hand when a part dies.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
import redis

from shared.runtime.keys import INBOX, META
from shared.runtime.lanes import Lanes, choose_tags
from tests.builders import (
    Envelope,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)
from tests.figures import figures_at
from tests.stack import ENGINE, Command, Stack, free_range
from tests.waiting import until_sync

LIVE, GONE, DAMAGED = "live-story", "withdrawn-story", "damaged-story"
ONE, LINES = "application/cloudevents+json", "application/x-ndjson"


class Canaries:
    """Words that occur nowhere else, each named after where it was put."""

    def __init__(self) -> None:
        self.words: dict[str, str] = {}

    def __getattr__(self, place: str) -> str:
        return self.words.setdefault(place, f"canary{secrets.token_hex(8)}")

    def found_in(self, text: str) -> set[str]:
        return {place for place, word in self.words.items() if word in text}


class Newsroom:
    """Who files with a key, and reads."""

    def __init__(self, stack: Stack, first: int) -> None:
        self.stack, self.first = stack, first
        self.redis = redis.Redis.from_url(stack.redis_url, decode_responses=True)
        self.token = ""

    def file(
        self, content: bytes, media_type: str = LINES, token: str | None = None
    ) -> httpx2.Response:
        return httpx2.post(
            f"{self.stack.ingest}/v1/events",
            content=content,
            headers={
                "content-type": media_type,
                "authorization": f"Bearer {token or self.token}",
            },
            trust_env=False,
            timeout=30,
        )

    def file_all(self, *envelopes: Envelope) -> None:
        answer = self.file(b"\n".join(map(orjson.dumps, envelopes)))
        assert answer.status_code == 202, answer.text


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    first = free_range(3)
    settings = {
        "WRITETHRU_METRICS_LISTEN": f"127.0.0.1:{first}",
        "WRITETHRU_LOG_LEVEL": "debug",
    }
    stack = Stack(tmp_path, **settings)
    try:
        newsroom = Newsroom(stack.ready(), first)
        yield newsroom
        stack.end()
    finally:
        stack.clear()


def test_neither_copy_nor_secrets_get_into_logs_or_metrics(newsroom, tmp_path):
    canary = Canaries()
    _give_a_key(newsroom, canary, tmp_path)
    _tell_a_story(newsroom, canary)
    _read_it(newsroom)
    _file_what_is_refused(newsroom, canary)
    _use_the_inbox(newsroom, canary)
    _damage_what_is_stored(newsroom, canary)
    _let_the_engine_die(newsroom, canary)
    metrics = _metrics(newsroom)
    newsroom.stack.end()

    said = newsroom.stack.said() + (newsroom.stack.data / "engine.log").read_text()
    heard = {line.get("service") for line in _lines(said)}
    assert {"ingest", "render", "deliver"} <= heard
    assert any(line.get("level") == "debug" for line in _lines(said))
    assert len(canary.words) > 20
    assert canary.found_in(said) == set()
    assert canary.found_in(metrics) == set()


def _give_a_key(newsroom: Newsroom, canary: Canaries, folder: Path) -> None:
    command = Command(
        folder,
        *(
            "keys",
            "create",
            "the desk",
            "--scope",
            "admin",
            "--redis-url",
            newsroom.stack.redis_url,
        ),
    )
    assert command.process.wait(30) == 0
    newsroom.token = command.said().split()[-1]
    assert newsroom.token.startswith("wt_")
    canary.words["the API key"] = newsroom.token.rpartition("_")[2]
    canary.words["the installation's key"] = str(newsroom.redis.hget(META, "key"))


def _tell_a_story(newsroom: Newsroom, canary: Canaries) -> None:
    newsroom.file_all(
        published(canary.headline, canary.body, slug=LIVE, summary=canary.summary),
        posted("u1", canary.text, slug=LIVE, headline=canary.update_headline),
        revised("u1", text=canary.revised, slug=LIVE),
        corrected("u1", canary.corrected, canary.correction_note, slug=LIVE),
        posted("u2", canary.retracted, slug=LIVE),
        pinned("u2", slug=LIVE),
        retracted("u2", canary.retraction_note, slug=LIVE),
        writethru(headline=canary.new_headline, body=canary.new_body, note=canary.note, slug=LIVE),
        published(canary.killed_headline, canary.killed_body, slug=GONE),
        posted("u1", canary.killed_text, slug=GONE),
        killed(canary.kill_note, slug=GONE),
    )
    newsroom.stack.page(LIVE, 8)
    until_sync(lambda: newsroom.stack.get(f"/articles/{GONE}").status_code == 410)


def _read_it(newsroom: Newsroom) -> None:
    for slug in (LIVE, GONE, "no-such-story"):
        for ending in ("", ".txt", ".json", "/pages/1", "/changes?since=1", "/updates/u1"):
            newsroom.stack.get(f"/articles/{slug}{ending}")
    newsroom.stack.get("/")
    with (
        httpx2.Client(trust_env=False, timeout=20) as http,
        http.stream("GET", f"{newsroom.stack.deliver}/articles/{LIVE}/live?since=1") as answer,
    ):
        assert any(line == "event: change" for line in answer.iter_lines())
    httpx2.get(
        f"{newsroom.stack.ingest}/v1/articles/{LIVE}/events",
        headers={"authorization": f"Bearer {newsroom.token}"},
        trust_env=False,
    )


def _file_what_is_refused(newsroom: Newsroom, canary: Canaries) -> None:
    good = posted("u3", canary.refused_text, slug=LIVE)
    lines: list[Any] = [
        {**good, "data": {"update_id": "u3", "text": 7, "headline": canary.wrong_type}},
        {**good, "data": {"update_id": "u3", "text": "x", canary.unknown_field: "y"}},
        {**good, "data": {"update_id": canary.bad_id + " ", "text": canary.beside_bad_id}},
        {**good, "subject": canary.bad_subject.upper()},
        {**good, "type": f"com.example.{canary.unknown_type}"},
        posted("u1", canary.twice, slug=LIVE),
        posted("u9", canary.nowhere, slug="no-such-story"),
        posted("u9", canary.after_the_kill, slug=GONE),
    ]
    answer = newsroom.file(b"\n".join([*map(orjson.dumps, lines), canary.not_json.encode()]))
    assert {receipt["status"] for receipt in answer.json()["receipts"]} == {"rejected"}
    assert newsroom.file(f'{{"id": "{canary.cut_off}'.encode(), ONE).status_code == 400
    assert newsroom.file(canary.unsupported.encode(), "text/plain").status_code == 415
    body = orjson.dumps(good)
    for token in (f"wt_00_{canary.no_such_key}", f"{newsroom.token}x", canary.no_key):
        assert newsroom.file(body, ONE, token).status_code == 401
    _send_what_is_no_http(newsroom, canary)


def _send_what_is_no_http(newsroom: Newsroom, canary: Canaries) -> None:
    for port in (newsroom.stack.ingest_port, newsroom.stack.deliver_port, newsroom.first):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(f"{canary.no_http}\r\n\r\n".encode())
            line.recv(100)


def _use_the_inbox(newsroom: Newsroom, canary: Canaries) -> None:
    for data in (
        orjson.dumps(posted("i1", canary.inbox_text, slug=LIVE)),
        orjson.dumps(killed(canary.inbox_kill, slug=LIVE)),
        canary.inbox_no_json.encode(),
    ):
        newsroom.redis.xadd(INBOX, {"data": data})
    until_sync(lambda: newsroom.redis.xlen(INBOX) == 0)


def _damage_what_is_stored(newsroom: Newsroom, canary: Canaries) -> None:
    """Make render and deliver stumble over copy: an event nobody can read, state that is none."""
    newsroom.file_all(published(slug=DAMAGED), posted("u1", canary.damaged_text, slug=DAMAGED))
    newsroom.stack.page(DAMAGED, 2)
    keys = Lanes(choose_tags(12)).of(DAMAGED).article(DAMAGED)
    record = newsroom.redis.lindex(keys.ledger, 1)
    unreadable = str(record).replace("update.posted", "update.sung")
    newsroom.redis.lset(keys.ledger, 1, unreadable)
    for name in newsroom.redis.hkeys(keys.updates):
        newsroom.redis.hset(keys.updates, name, f'{{"copy": "{canary.damaged_update}"}}')
    newsroom.file_all(corrected("u1", canary.on_damage, slug=DAMAGED))
    newsroom.stack.saying("article.damaged")
    newsroom.stack.saying("event.quarantined")
    newsroom.redis.hset(keys.state, "head", f'{{"slug": ["{canary.damaged_head}"]}}')
    newsroom.stack.get(f"/articles/{DAMAGED}")
    newsroom.stack.saying("request.failed")
    newsroom.redis.set(keys.pages, canary.wrong_kind)
    newsroom.file_all(posted("u2", canary.on_wrong_kind, slug=DAMAGED))
    newsroom.stack.saying("article.postponed")


def _let_the_engine_die(newsroom: Newsroom, canary: Canaries) -> None:
    body = orjson.dumps(posted("u4", canary.unknown_outcome, slug=LIVE))
    newsroom.redis.execute_command("CLIENT", "PAUSE", "60000", "WRITE")
    assert newsroom.file(body, ONE).json()["code"] == "durability-timeout"
    newsroom.stack.saying("append.failed")
    os.kill(newsroom.stack.pid_of(ENGINE), signal.SIGKILL)
    until_sync(lambda: newsroom.file(body, ONE).status_code in (202, 409), 30)


def _metrics(newsroom: Newsroom) -> str:
    texts = []
    for place in range(3):
        figures_at(newsroom.first + place)
        url = f"http://127.0.0.1:{newsroom.first + place}/metrics"
        texts.append(httpx2.get(url, trust_env=False).text)
    return "".join(texts)


def _lines(said: str) -> Iterator[dict[str, Any]]:
    for line in said.splitlines():
        if line.startswith("{"):
            yield orjson.loads(line)
