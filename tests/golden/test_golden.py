"""The same ledger gives the same bytes: today, and as it was when somebody looked at them."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from tests.golden.pages import ENDINGS, expected, ledgers, pages, strays


def difference(before: str, after: str, name: str) -> str:
    lines = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(unified_diff(*lines, fromfile=f"{name}, expected", tofile=f"{name}, made"))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("ledger", ledgers(), ids=lambda path: path.stem)
def test_a_ledger_gives_the_page_that_was_looked_at(ledger: Path, ending: str):
    # given the page that a ledger once gave
    path = expected(ledger, ending)
    before = path.read_bytes().decode() if path.exists() else None
    # when the ledger is folded again
    after = pages(ledger).get(ending)
    # then not a byte is different
    if after != before:
        pytest.fail(
            f"{difference(before or '', after or '', path.name)}\n"
            "If it is meant to be so, run `python -m tests.golden` and look at what changed.",
            pytrace=False,
        )


def test_every_page_has_its_ledger():
    assert list(strays()) == []
