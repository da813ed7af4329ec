"""Who may import whom: the contracts in pyproject.toml hold, and would notice a break."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINTER, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("services", "shared"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_import_contract_holds() -> None:
    linted = lint(ROOT)

    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("module", "imports", "contract"),
    [
        ("shared/article/probe.py", "time", "the cores are pure"),
        ("shared/contract/probe.py", "shared.runtime.clock", "the cores are pure"),
        ("services/ingest/core/probe.py", "redis", "the cores are pure"),
        ("shared/runtime/probe.py", "services.render", "shared knows no service"),
        ("services/render/probe.py", "services.ingest", "the services don't know each other"),
        ("services/deliver/probe.py", "services.cli", "no service knows the command line"),
        ("services/render/core/probe.py", "services.render.store", "render: main > app"),
    ],
)
def test_a_break_of_a_contract_is_noticed(
    copy: Path, module: str, imports: str, contract: str
) -> None:
    (copy / module).write_text(f'"""A probe."""\n\nimport {imports}\n')
    imported = copy / f"{imports.replace('.', '/')}"
    if imports.startswith("services.") and not imported.exists():
        imported.with_suffix(".py").touch()

    linted = lint(copy)

    assert linted.returncode == 1
    broken = [line for line in linted.stdout.splitlines() if line.endswith(" BROKEN")]
    assert [line for line in broken if line.startswith(contract)], linted.stdout
