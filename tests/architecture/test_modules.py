"""What every module of the product has in common."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    ROOT / "writethru",
    *sorted(path for name in ("services", "shared") for path in (ROOT / name).rglob("*.py")),
]
SAYS_NOTHING = {"base", "common", "helpers", "manager", "misc", "util", "utils"}

each_module = pytest.mark.parametrize(
    "module", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)


@each_module
def test_a_module_says_what_its_role_is(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text("utf-8")))


@each_module
def test_a_module_is_short_enough_to_read_at_once(module: Path) -> None:
    assert len(module.read_text("utf-8").splitlines()) <= 300


@each_module
def test_a_module_is_named_after_what_it_does(module: Path) -> None:
    assert module.stem not in SAYS_NOTHING
