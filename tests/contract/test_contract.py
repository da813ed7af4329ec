"""The suites hold for a real stack, and notice one that does things wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.builders import corrected, pinned, posted, published, retracted, writethru
from tests.contract import checking, sse, webhooks
from tests.contract.broken import broken
from tests.contract.checking import Result, Rules
from tests.stack import Stack, running

STORY = (
    published(slug="story"), posted("a", slug="story"), posted("b", "Two.", slug="story"),
    corrected("a", slug="story"), posted("c", "Three.", slug="story", key_event=True),
    retracted("b", slug="story"), pinned("c", slug="story"), posted("d", "Four.", slug="story"),
    writethru(headline="Another headline", slug="story"),
)  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with running(folder, WRITETHRU_OUTBOUND_ALLOW="127.0.0.1") as stack:
        stack.file(list(STORY))
        stack.page("story", len(STORY))
        yield stack


@pytest.fixture(scope="module")
def said(stack: Stack) -> Mapping[str, subprocess.CompletedProcess[str]]:
    """What both commands say of the stack; they wait a good deal, so they run side by side."""
    asked = {
        "sse": ("--url", stack.deliver, "--article", "story", "--ingest", stack.ingest),
        "webhooks": ("--deliver", stack.deliver, "--article", "story"),
    }
    with ThreadPoolExecutor() as pool:
        return dict(zip(asked, pool.map(command, asked, asked.values()), strict=True))


def command(name: str, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", f"tests.contract.{name}", *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("suite", "rules"), [("sse", sse.RULES), ("webhooks", webhooks.RULES)])
def test_a_stack_keeps_every_rule(
    said: Mapping[str, subprocess.CompletedProcess[str]], suite: str, rules: Rules[Any]
) -> None:
    *table, total = said[suite].stdout.splitlines()

    assert [line for line in table if not line.startswith("pass  ")] == []
    assert total == f"{len(rules)} of {len(rules)} rules hold"
    assert said[suite].returncode == 0


def test_a_server_that_does_things_wrong_is_told_so_by_every_rule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 0.2)
    with broken() as url:
        live = sse.ask(sse.Asked(url, "a", ingest=url))
        hooks = webhooks.ask(url, "a key", "a")

    assert [each for each in (*live, *hooks) if each.held is not False] == []
    assert checking.tell(live) == 1
    assert capsys.readouterr().out.startswith("FAIL  a stream is text/event-stream")


def test_what_nothing_was_asked_of_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert checking.tell([Result("it is quick", None, "there is no clock")]) == 1
    assert capsys.readouterr().out.startswith("skip  it is quick (there is no clock)")
