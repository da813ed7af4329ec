"""The docs name what there is, and what they name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from shared.contract.acts import ACTS
from shared.runtime.problems import PROBLEMS
from shared.runtime.settings import PREFIX, Settings
from tests.architecture.metrics_table import in_page, table

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("wire", ACTS)
def test_every_event_type_and_its_fields_are_documented(wire: str) -> None:
    (row,) = re.findall(rf"^\| `{re.escape(wire)}`.*$", _doc("events.md"), re.MULTILINE)
    shared_fields = {"writethru.article.writethru": {"note"}}
    fields = shared_fields.get(wire, set(ACTS[wire].model_fields))
    assert fields <= set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_is_documented_with_its_status(code: str) -> None:
    rows = [line for line in _doc("events.md").splitlines() if f"`{code}`" in line]
    assert any(str(PROBLEMS[code].status) in row for row in rows)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{PREFIX}{name.upper()}` |" in _doc("settings.md")


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    assert in_page(_doc("metrics.md")) == table(), "python -m tests.architecture.metrics_table"


def test_every_test_that_a_page_names_exists() -> None:
    named = set(re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", "".join(map(_text, PAGES))))
    assert named
    for path, test in sorted(named):
        assert (ROOT / path).is_file(), path
        assert not test or test in _functions(ROOT / path), f"{path}::{test}"


def test_every_file_that_a_page_links_to_exists() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", _text(page)):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_library_has_its_line_among_the_decisions() -> None:
    project = _text(ROOT / "pyproject.toml")
    pinned = re.findall(r'^ +"([a-z0-9-]+)(?:\[\w+\])?==', project, re.MULTILINE)
    assert pinned
    for name in pinned:
        assert name in _text(ROOT / "docs/decisions/0009-libraries.md"), name


def _doc(name: str) -> str:
    return _text(ROOT / "docs" / name)


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _functions(path: Path) -> set[str]:
    tree = ast.parse(_text(path))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
