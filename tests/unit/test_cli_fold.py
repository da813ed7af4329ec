"""`writethru fold`: the page that events give, and what is said about those that give none."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.cli.__main__ import run
from shared.article.formats import html, json, text, whole
from shared.article.order import displayed
from tests import builders
from tests.builders import Envelope, corrected, killed, posted, published, retracted

COVERAGE = [
    published("The ferry is late", at="2026-03-01T09:00:00Z"),
    posted("u1", "It left at nine.", at="2026-03-01T09:05:00Z"),
    corrected("u1", "It left at ten.", "It was ten.", at="2026-03-01T09:10:00Z"),
    posted("u2", "It has arrived.", at="2026-03-01T11:00:00Z"),
]
ARTICLE = builders.article(*COVERAGE)


def ndjson(*events: Envelope) -> bytes:
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


@pytest.fixture
def fold(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch) -> Any:
    """Fold *content* as a file called events.ndjson; return status, output and errors."""

    def fold(content: bytes, *words: str) -> tuple[int, bytes, str]:
        monkeypatch.chdir(tmp_path)
        Path("events.ndjson").write_bytes(content)
        status = run(["fold", *(words or ["events.ndjson"])])
        out, err = capfdbinary.readouterr()
        return status, out, err.decode()

    return fold


@pytest.mark.parametrize(
    ("form", "page"),
    [
        ("text", text.page(ARTICLE).encode()),
        ("json", json.dumps(json.article(ARTICLE))),
        (
            "html",
            html.article_page(
                ARTICLE.head, ARTICLE.body, displayed(ARTICLE.head, ARTICLE.updates.values())
            ).encode(),
        ),
        *(
            (form, whole.written(ARTICLE, form, "http://127.0.0.1:8080"))
            for form in ("md", "atom", "feed.json", "rss")
        ),
    ],
)
def test_the_output_is_the_page_to_the_byte_in_each_format(fold, form, page):
    assert fold(ndjson(*COVERAGE), "events.ndjson", "--format", form) == (0, page, "")


@pytest.mark.parametrize(
    "content",
    [
        ndjson(*COVERAGE),
        b"\xef\xbb\xbf" + ndjson(*COVERAGE).replace(b"\n", b"\r\n\r\n"),
        orjson.dumps(COVERAGE),
        b"\n" + orjson.dumps(COVERAGE, option=orjson.OPT_INDENT_2) + b"\n",
    ],
    ids=["lines", "lines of a Windows editor", "an array", "a readable array"],
)
def test_events_may_be_lines_or_an_array(fold, content):
    assert fold(content)[1] == text.page(ARTICLE).encode()


@pytest.mark.parametrize("option", [None, orjson.OPT_INDENT_2])
def test_one_event_alone_is_an_article(fold, option):
    status, page, _ = fold(orjson.dumps(COVERAGE[0], option=option))

    assert status == 0
    assert page == text.page(builders.article(COVERAGE[0])).encode()


def test_several_files_are_read_one_after_the_other(fold, tmp_path):
    (tmp_path / "rest.json").write_bytes(orjson.dumps(COVERAGE[1:]))

    _, page, _ = fold(ndjson(COVERAGE[0]), "events.ndjson", "rest.json")

    assert page == text.page(ARTICLE).encode()


def test_a_dash_is_standard_input(fold, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ndjson(*COVERAGE))))

    assert fold(b"", "-")[1] == text.page(ARTICLE).encode()


def test_an_earlier_version_is_the_fold_of_the_events_up_to_it(fold):
    _, page, _ = fold(ndjson(*COVERAGE), "events.ndjson", "--version", "2")

    assert page == text.page(builders.article(*COVERAGE[:2])).encode()


def test_a_version_that_is_not_there_yet_is_wrong_usage(fold):
    status, page, line = fold(ndjson(*COVERAGE), "events.ndjson", "--version", "5")

    assert (status, page) == (2, b"")
    assert line == "writethru fold: there is no version 5: these events give 4\n"


def test_an_event_sent_again_counts_once(fold):
    traced = COVERAGE[1] | {"traceparent": "00-1-1-01"}

    assert fold(ndjson(*COVERAGE, traced, COVERAGE[0]))[1] == text.page(ARTICLE).encode()


def test_a_ledger_as_exported_folds(fold):
    exported = [event | {"seq": n, "chain": "ab" * 20} for n, event in enumerate(COVERAGE, 1)]

    assert fold(ndjson(*exported))[1] == text.page(ARTICLE).encode()


def test_a_killed_article_is_the_line_that_stands_in_its_place(fold):
    events = [*COVERAGE, killed("On legal advice.", at="2026-03-01T12:00:00Z")]

    assert fold(ndjson(*events))[1] == text.page(builders.article(*events)).encode()
    for form in ("html", "json", "md", "atom", "feed.json", "rss"):
        page = fold(ndjson(*events), "events.ndjson", "--format", form)[1]
        assert b"On legal advice." in page
        assert b"ferry" not in page


def changed(event: Envelope, **envelope: Any) -> Envelope:
    return {name: value for name, value in (event | envelope).items() if value is not None}


AT = "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("last", "line", "complaint"),
    [
        (posted("u9", txt="It sank.", at=AT), 5, "invalid at /data/txt: is no field"),
        (changed(posted("u9"), time=None), 5, "invalid at /time: is missing"),
        (changed(posted("u9", at=AT), id="a b"), 5, "invalid at /id"),
        (changed(posted("u9", at=AT), subject="other"), 5, "invalid at /subject"),
        (posted("u1", at=AT), 5, "update-exists at /data/update_id"),
        (corrected("u9", at=AT), 5, "unknown-update at /data/update_id"),
        (published(at=AT), 5, "article-exists at /subject"),
        (changed(posted("u9", at=AT), id=COVERAGE[1]["id"]), 5, "id-conflict at /id"),
        (changed(posted("u9", at=AT), baseversion=3), 5, "stale at /baseversion"),
    ],
)
def test_what_ingest_would_refuse_is_one_line_with_file_line_code_and_field(
    fold, last, line, complaint
):
    status, page, said = fold(ndjson(*COVERAGE, last))

    assert (status, page) == (1, b"")
    assert said.startswith(f"writethru fold: events.ndjson, line {line}: {complaint}")
    assert said.count("\n") == 1


def test_acts_on_what_is_gone_are_refused_with_a_remedy(fold):
    gone = [retracted("u1", at=AT), corrected("u1", at=AT)]

    _, page, said = fold(ndjson(*COVERAGE, *gone))

    assert page == b""
    assert "line 6: update-retracted at /data/update_id" in said
    assert "post a new one" in said


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"id": "a",}\n{"id": "b"}\n', "events.ndjson, line 1: malformed"),
        (ndjson(COVERAGE[0]) + b"{nonsense\n", "line 2: malformed: This is not JSON. Expecting"),
        (b'{\n "id": "a",\n "id" "b"\n}\n', "events.ndjson, line 3: is not JSON"),
        (
            b"[" + orjson.dumps(COVERAGE[0]) + b'\n\n,\n{"id": }]',
            "events.ndjson, line 4: is not JSON",
        ),
        (b"[" + orjson.dumps(COVERAGE[0]), "events.ndjson, line 1: is not JSON (a comma"),
        (orjson.dumps([COVERAGE[0], 7]), "events.ndjson, line 1: malformed"),
        (orjson.dumps([COVERAGE[0]]) + b"\n]", "line 2: is not JSON (something follows"),
        (b"[" * 100_000, "is not JSON (nested too deep)"),
        (b"Dear editor,", "events.ndjson, line 1: is no event"),
        (b'{"a": 1}\n{"a": "\xff"}', "events.ndjson, line 2: is not UTF-8"),
        (b" \n", "events.ndjson is empty"),
        (b"[]", "there are no events"),
    ],
)
def test_what_is_no_event_is_one_line_that_says_where(fold, content, complaint):
    status, page, said = fold(content)

    assert (status, page) == (1, b"")
    assert complaint in said
    assert said.count("\n") == 1


def test_a_file_that_is_not_there_is_named(fold):
    status, _, said = fold(b"", "evnets.ndjson")

    assert status == 1
    assert said.startswith("writethru fold: evnets.ndjson can't be read (No such file")


def test_a_fold_loads_nothing_that_could_ask_a_network_or_an_engine():
    code = (
        "import sys, services.cli.fold, shared.article.formats.text;"
        "print({'redis', 'httpx2', 'asyncio', 'shared.runtime'} & set(sys.modules))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )

    assert loaded.stdout == "set()\n", loaded.stderr
