"""What Prometheus' own tool says of the configuration and the alert rules."""

from __future__ import annotations

import subprocess

import pytest

from tests.observability.parts import CONFIG, MOMENTS

pytestmark = pytest.mark.prometheus


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)


def test_the_configuration_and_the_rules_are_sound() -> None:
    checked = promtool("check", "config", "--lint=all", "--lint-fatal", str(CONFIG))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    tested = promtool("test", "rules", str(MOMENTS))

    assert tested.returncode == 0, tested.stdout + tested.stderr
