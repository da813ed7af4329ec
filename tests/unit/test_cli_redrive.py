"""`writethru publish --log` and `--redrive` against an ingest whose ledgers a test can shorten."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest

from services.cli.__main__ import run
from services.cli.filing_log import FilingLog
from shared.contract.canonical import fingerprint, link
from tests.builders import Envelope, posted, published
from tests.serving import serving

ONE = [published(id="one", slug="one"), *(posted(f"u{n}", id=f"u{n}", slug="one") for n in "123")]
OTHER = [published(id="other", slug="other"), posted("v1", id="v1", slug="other")]


@dataclass
class Ingest:
    """Numbers, chains and remembers events; *refusing* are the ids that it refuses."""

    url: str = ""
    ledgers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusing: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    filed: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    down: bool = False

    def file(self, event: Envelope) -> dict[str, Any]:
        self.filed.append(event["id"])
        receipt = {name: event[name] for name in ("id", "source")} | {"article": event["subject"]}
        if event["id"] in self.refusing:
            return receipt | {"status": "rejected", "problem": {"code": "invalid"}}
        if event["id"] in self.held:
            return receipt | {"status": "held"}
        ledger = self.ledgers.setdefault(event["subject"], [])
        known = next((each for each in ledger if each["id"] == event["id"]), None)
        if known is None:
            seq, chain = len(ledger) + 1, ledger[-1]["chain"] if ledger else ""
            known = event | {"seq": seq, "chain": link(chain, seq, fingerprint(b"", event))}
            ledger.append(known)
            return receipt | {"status": "accepted", "seq": seq, "chain": known["chain"]}
        return receipt | {"status": "duplicate", "seq": known["seq"], "chain": known["chain"]}

    def ledger(self, path: str) -> list[dict[str, Any]] | None:
        found = re.fullmatch(r"/v1/articles/(.*)/events\?after=(\d+)", path)
        assert found
        self.read.append(path)
        ledger = self.ledgers.get(found[1])
        return None if ledger is None else ledger[int(found[2]) :]


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    double = Ingest()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if double.down:
                self.connection.close()
                return
            receipts = [double.file(orjson.loads(line)) for line in body.splitlines()]
            self.answer(202, orjson.dumps({"receipts": receipts}))

        def do_GET(self) -> None:
            if self.headers["authorization"] == "Bearer wt_blind":
                self.answer(403, b'{"title": "This key may not do that", "code": "forbidden"}')
            elif (lines := double.ledger(self.path)) is None:
                self.answer(404, b'{"code": "unknown-article"}')
            else:
                self.answer(200, b"".join(orjson.dumps(line) + b"\n" for line in lines))

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as port:
        double.url = f"http://127.0.0.1:{port}"
        yield double


@pytest.fixture
def log(tmp_path):
    return tmp_path / "filed.log"


@pytest.fixture
def writethru(ingest, tmp_path, log, capsys):
    def publish(*events: Envelope, words: tuple[str, ...] = ()) -> tuple[int, list[Any], str]:
        """Publish *events* with the log; redrive it if there are none."""
        (tmp_path / "events").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in events))
        source = [str(tmp_path / "events"), "--log"] if events else ["--redrive"]
        status = run(["publish", *source, str(log), "--to", ingest.url, *words])
        out, err = capsys.readouterr()
        return status, [orjson.loads(line) for line in out.splitlines()], err

    return publish


def test_what_ledgers_have_lost_is_filed_again_in_order_and_once(ingest, writethru):
    writethru(*ONE, *OTHER)
    del ingest.ledgers["one"][2:]
    del ingest.ledgers["other"]
    ingest.filed.clear()

    status, receipts, said = writethru()

    assert status == 0
    assert ingest.filed == ["u2", "u3", "other", "v1"]
    assert [receipt["status"] for receipt in receipts] == ["accepted"] * 4
    assert said == "writethru: 4 events of 6 filed again\n"
    assert [each["id"] for each in ingest.ledgers["one"]] == ["one", "u1", "u2", "u3"]

    assert writethru() == (0, [], "writethru: nothing is missing: 6 events of the log looked up\n")
    assert len(ingest.filed) == 4


def test_another_history_at_the_same_seqs_is_not_taken_for_what_was_filed(ingest, writethru):
    writethru(*ONE)
    del ingest.ledgers["one"][2:]
    for number in (1, 2, 3):
        ingest.file(posted(f"theirs{number}", id=f"theirs{number}", slug="one"))

    _, receipts, _ = writethru()

    assert [(each["id"], each["seq"]) for each in receipts] == [("u2", 6), ("u3", 7)]


def test_what_somebody_else_has_filed_again_gets_its_new_place_from_a_duplicate(ingest, writethru):
    writethru(*ONE)
    del ingest.ledgers["one"][2:]
    for event in (ONE[3], ONE[2]):
        ingest.file(event)

    _, receipts, said = writethru()

    assert [(each["status"], each["seq"]) for each in receipts] == [
        ("duplicate", 4),
        ("duplicate", 3),
    ]
    assert said == (
        "writethru: 0 events of 4 filed again, 2 there already, in another place or held\n"
    )
    assert "nothing is missing" in writethru()[2]


def test_what_has_no_receipt_is_sent_and_what_was_refused_is_not(ingest, writethru, log):
    ingest.refusing = {"u2"}
    writethru(*ONE)
    with FilingLog(log) as kept:
        kept.intend([orjson.dumps(event).decode() for event in OTHER])
    ingest.filed.clear()

    _, receipts, _ = writethru()

    assert [each["id"] for each in receipts] == ["other", "v1"]


def test_what_was_refused_and_then_taken_stands_where_it_was_taken(ingest, writethru):
    ingest.refusing = {"u1"}
    writethru(*ONE)
    ingest.refusing = set()
    writethru(ONE[1])
    ingest.ledgers.clear()
    ingest.filed.clear()

    writethru()

    assert ingest.filed == ["one", "u2", "u3", "u1"]


def test_a_refusal_of_what_is_lost_is_told_and_does_not_end_the_search_for_it(ingest, writethru):
    writethru(*ONE)
    ingest.ledgers["one"].pop()
    ingest.refusing = {"u3"}

    status, receipts, said = writethru()
    ingest.refusing = set()
    _, again, _ = writethru()

    assert (status, receipts[0]["status"], again[0]["status"]) == (1, "rejected", "accepted")
    assert said.endswith("writethru publish: 1 of 1 event rejected; the receipts say why\n")


def test_what_is_held_is_sent_again_until_its_ledger_has_it(ingest, writethru):
    ingest.held = {"u3"}
    writethru(*ONE)

    _, receipts, _ = writethru()
    ingest.held = set()
    ingest.file(ONE[3])

    assert [each["status"] for each in receipts] == ["held"]
    assert "nothing is missing" in writethru()[2]


def test_a_ledger_is_read_from_the_first_event_of_the_log_on(ingest, writethru):
    for event in ONE[:3]:
        ingest.file(event)
    writethru(ONE[3])

    writethru()

    assert ingest.read == ["/v1/articles/one/events?after=3"]


def test_an_event_is_in_the_log_before_it_is_sent(ingest, writethru, log, monkeypatch):
    monkeypatch.setattr("services.cli.sending.FIRST_PATIENCE_SECONDS", 0.1)
    ingest.down = True

    status, _, _ = writethru(*ONE)

    assert status == 1
    assert [orjson.loads(line) for line in log.read_bytes().splitlines()] == [
        {"event": event} for event in ONE
    ]


def test_numbers_stay_as_they_are_written_and_what_is_no_event_is_not_kept(ingest, log):
    text = '{"id": "u9", "source": "/s", "subject": "one", "n": 1.50, "said": "\\u00e9\\""}'
    with FilingLog(log) as kept:
        kept.intend(["no event", '{"id": 7}', text])

    with FilingLog(log) as kept:
        assert [each.text for each in kept.filed()] == [text]


def test_a_line_that_a_crash_has_torn_is_taken_off_and_others_are_only_the_owners(writethru, log):
    writethru(*ONE)
    log.write_bytes(log.read_bytes() + b'{"receipt":{"id":"u')

    status, _, said = writethru()

    assert (status, "nothing is missing: 4 events" in said) == (0, True)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_log_has_one_publisher_at_a_time(writethru, log):
    with FilingLog(log):
        status, _, said = writethru(*ONE)

    assert (status, f"{log} is in use by another publish" in said) == (1, True)


def test_a_key_that_may_not_read_is_told_so(writethru):
    writethru(*ONE)

    status, _, said = writethru(words=("--key", "wt_blind"))

    assert status == 1
    assert "(403): This key may not do that; name a key that may, with --key" in said


def test_another_file_is_no_log(writethru, log):
    log.write_text('{"specversion": "1.0"}\n')

    status, _, said = writethru()

    assert (status, f"{log}, line 1: is no line of a log" in said) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give it either files of events, or --redrive"),
        (("events", "--redrive", "log"), "give it either files of events, or --redrive"),
        (("--redrive", "log", "--log", "other"), "leave --log out"),
        (("--redrive", "log"), "there is no log log; `publish --log` makes one"),
    ],
)
def test_wrong_usage_is_one_line_that_says_what_to_do(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert run(["publish", *words]) in (1, 2)
    assert said in capsys.readouterr().err
