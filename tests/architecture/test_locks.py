"""The lock files: what pyproject.toml pins, with hashes, and from no particular place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUN, TEST = "requirements.lock", "requirements-test.lock"
RUN_TIME = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["embedded"],
    *PROJECT["project"]["optional-dependencies"]["traces"],
]

each_lock = pytest.mark.parametrize("lock", [RUN, TEST])


def locked(lock: str) -> dict[str, str]:
    """Return the locked packages and their versions."""
    text = (ROOT / lock).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", text, re.MULTILINE))


def pins(requirements: list[str]) -> dict[str, str]:
    """Return what *requirements* name, each pinned exactly."""
    found = [re.match(r"([a-z0-9-]+)(?:\[\w+\])?==([^\s;]+)", each) for each in requirements]
    assert all(found), f"not every one is pinned with ==: {requirements}"
    return {match[1]: match[2] for match in found if match}


@each_lock
def test_every_direct_pin_is_locked_at_its_version(lock: str) -> None:
    group = PROJECT["dependency-groups"]["test"] if lock == TEST else []

    assert pins(RUN_TIME + group).items() <= locked(lock).items()


def test_the_tests_run_on_the_very_versions_that_the_program_runs_on() -> None:
    assert locked(RUN).items() <= locked(TEST).items()


@each_lock
def test_every_locked_package_has_hashes(lock: str) -> None:
    requirements = re.split(r"\n(?=[a-z])", (ROOT / lock).read_text("utf-8"))

    assert len(requirements) == len(locked(lock)) + 1  # the header comes first
    assert all("--hash=sha256:" in requirement for requirement in requirements[1:])


@each_lock
def test_a_lock_names_no_place_to_fetch_from(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")

    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
