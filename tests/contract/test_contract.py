"""The suites hold for a real stack, and notice one that does things wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.builders import corrected, pinned, posted, published, retracted, writethru
from tests.contract import sse, webhooks
from tests.contract.broken import broken
from tests.contract.checking import Result
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


def failing(results: Sequence[Result]) -> list[str]:
    return [f"{each.rule}: {each.said}" for each in results if each.held is not True]


def test_live_streams_keep_every_rule(stack: Stack) -> None:
    assert failing(sse.ask(stack.deliver, "story")) == []


def test_webhooks_keep_every_rule(stack: Stack) -> None:
    assert failing(webhooks.ask(stack.deliver)) == []


def test_a_server_that_does_things_wrong_is_told_so_by_every_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 0.2)
    with broken() as url:
        live, hooks = sse.ask(url, "a"), webhooks.ask(url, "a key")

    assert [each.rule for each in live if each.held] == []
    assert [each.rule for each in hooks if each.held] == []


@pytest.mark.parametrize(
    "words",
    [("sse", "--article", "story", "--url"), ("webhooks", "--deliver")],
)
def test_a_suite_is_a_command_with_a_table_and_an_exit_status(
    stack: Stack, words: tuple[str, ...]
) -> None:
    name, *more = words
    command = [sys.executable, "-m", f"tests.contract.{name}", *more]

    fine = subprocess.run([*command, stack.deliver], capture_output=True, text=True, check=False)
    with broken() as url:
        if name == "sse":
            wrong = subprocess.run([*command, url], capture_output=True, text=True, check=False)
            assert wrong.returncode == 1
            assert "FAIL" in wrong.stdout

    assert fine.returncode == 0, fine.stdout
    assert "rules hold" in fine.stdout
