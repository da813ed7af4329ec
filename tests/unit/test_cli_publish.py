"""`writethru publish` against an ingest that says what a test wants it to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest

from services.cli import sending
from services.cli.__main__ import run
from services.cli.publish import told
from services.cli.sending import requests
from tests.builders import posted, published
from tests.serving import serving

EVENTS = [published(id="lead"), *(posted(f"u{n}", id=f"u{n}") for n in range(1, 5))]

Receipt = dict[str, Any]


def accepted(event: Receipt) -> Receipt:
    return {"id": event["id"], "status": "accepted", "seq": 1}


def problem(event: Receipt, code: str, status: str = "rejected") -> Receipt:
    return {"id": event["id"], "status": status, "problem": {"code": code, "detail": "…"}}


@dataclass
class Ingest:
    """Answers requests by *script*, an entry a request, and the rest by accepting everything."""

    url: str = ""
    script: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    def ids(self) -> list[list[str]]:
        return [[orjson.loads(line)["id"] for line in body.splitlines()] for body in self.bodies]

    def answer(self, body: bytes, headers: Any) -> tuple[int, Any] | None:
        self.bodies.append(body)
        self.headers.append(headers)
        step = self.script.pop(0) if self.script else 202
        if step is None or isinstance(step, tuple):
            return step
        events = [orjson.loads(line) for line in body.splitlines()]
        codes = step if isinstance(step, dict) else {}
        receipts = [
            problem(event, codes[event["id"]]) if event["id"] in codes else accepted(event)
            for event in events
        ]
        return 207 if codes else 202, {"receipts": receipts}


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    double = Ingest()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = double.answer(body, self.headers)
            if reply is None:
                self.connection.close()
                return
            status, content = reply
            self.send_response(status)
            self.end_headers()
            self.wfile.write(orjson.dumps(content))

    with serving(Handler) as port:
        double.url = f"http://127.0.0.1:{port}"
        yield double


@pytest.fixture
def publish(ingest, tmp_path, capsys):
    def publish(*words: str, content: bytes | None = None) -> tuple[int, list[Receipt], str]:
        if content is None:
            content = b"".join(orjson.dumps(event) + b"\n" for event in EVENTS)
        (tmp_path / "events").write_bytes(content)
        status = run(["publish", str(tmp_path / "events"), "--to", ingest.url, *words])
        out, err = capsys.readouterr()
        return status, [orjson.loads(line) for line in out.splitlines()], err

    return publish


IDS = [event["id"] for event in EVENTS]


def test_each_event_gets_a_receipt_in_its_order(publish, ingest):
    status, receipts, said = publish()

    assert (status, said) == (0, "")
    assert [receipt["id"] for receipt in receipts] == IDS
    assert ingest.headers[0]["content-type"] == "application/x-ndjson"
    assert ingest.headers[0]["authorization"] is None


def test_a_key_is_sent_as_a_bearer_of_it(publish, ingest):
    publish("--key", "wt_secret")

    assert ingest.headers[0]["authorization"] == "Bearer wt_secret"


@pytest.mark.parametrize("option", [None, orjson.OPT_INDENT_2])
def test_an_array_is_sent_an_event_a_line(publish, ingest, option):
    publish(content=orjson.dumps(EVENTS, option=option))

    assert ingest.ids() == [IDS]


def test_numbers_are_sent_as_they_are_written(publish, ingest):
    publish(content=b'{"id":\n "a", "n": 1.50}')

    assert ingest.bodies == [b'{"id":  "a", "n": 1.50}']


def test_a_rejection_is_printed_and_makes_the_status_1(publish, ingest):
    ingest.script = [{"u2": "update-exists"}]

    status, receipts, said = publish()

    assert status == 1
    assert receipts[2]["problem"]["code"] == "update-exists"
    assert [receipt["status"] for receipt in receipts].count("accepted") == 4
    assert said == "writethru publish: 1 of 5 events rejected; the receipts say why\n"


def test_the_line_of_a_receipt_is_the_files(publish, ingest):
    ingest.script = [(207, {"receipts": [{"status": "rejected", "line": 1}]})]

    _, receipts, _ = publish(content=b'\n\n{"no event\n')

    assert receipts[0]["line"] == 3


def test_what_is_busy_is_sent_again_with_all_that_was_refused_after_it(publish, ingest):
    ingest.script = [{"u1": "busy", "u3": "unknown-update"}, {"u3": "busy"}]

    status, receipts, _ = publish()

    assert status == 0
    assert ingest.ids() == [IDS, ["u1", "u3"], ["u3"]]
    assert [receipt["id"] for receipt in receipts] == IDS


@pytest.mark.parametrize("fault", [None, (503, {"code": "busy"}), (500, "oh")])
def test_a_request_without_an_outcome_is_sent_again_whole(publish, ingest, fault):
    ingest.script = [fault, fault]

    status, receipts, _ = publish()

    assert status == 0
    assert ingest.ids() == [IDS, IDS, IDS]
    assert len(receipts) == 5


def test_what_stays_unknown_is_said_to_be_safe_to_send_again(publish, ingest, monkeypatch):
    monkeypatch.setattr(sending, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(sending, "FIRST_PATIENCE_SECONDS", 0.1)
    unknown = [problem(event, "durability-timeout", "unknown") for event in EVENTS]
    ingest.script = [(202, {"receipts": unknown})] * 20

    status, receipts, said = publish()

    assert status == 1
    assert {receipt["status"] for receipt in receipts} == {"unknown"}
    assert "5 of 5 events may be stored or not; run the same command again" in said


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "name a key with --key"), (404, "is --to the address of ingest?")]
)
def test_a_refused_request_is_one_line_with_a_remedy(publish, ingest, status, remedy):
    ingest.script = [(status, {"title": "No valid key", "detail": "None was sent."})]

    ended, receipts, said = publish()

    assert (ended, receipts) == (1, [])
    assert f"({status}): No valid key: None was sent; {remedy}" in said
    assert said.count("\n") == 1


def test_requests_stay_within_the_limits_of_ingest(monkeypatch):
    monkeypatch.setattr(sending, "MAX_REQUEST_BYTES", 10)
    monkeypatch.setattr(sending, "MAX_REQUEST_EVENTS", 3)

    cut = list(requests(["aaaa", "bbbb", "c", "d", "e", "f", "é" * 9, "g"]))

    assert cut == [["aaaa", "bbbb"], ["c", "d", "e"], ["f"], ["é" * 9], ["g"]]


def test_findings_are_told_in_a_line_for_people():
    finding = {"check": "cut-short", "level": "warn", "detail": "The text stops\nthere."}
    receipt = {"id": "e1", "article": "harbour-bridge", "findings": [finding]}
    assert list(told(receipt)) == ["harbour-bridge e1: warn cut-short: The text stops there."]
    assert list(told({"id": "e1", "status": "rejected"})) == []
