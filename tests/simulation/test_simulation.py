"""The simulator as a command, and that it comes through every narrow place, always the same way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.mutants import MUTANTS
from tests.simulation.running import play

ROOT = Path(__file__).parents[2]
SEED = 1

#: The narrow places. A simulator that doesn't come through them proves little.
NARROW = {
    "is committed at", "is stale at", "is fork at", "is missing at", "is acked at", "replays",
    "is stale again at", "takes back for", "drops", "loses reply", "gives up on", "crash of",
    "pause of", "events trimmed", "group lost", "consumer deleted", "engine restart", "failover",
    "finds a commit came between on", "releases of", "releases by hand", "spikes by hand",
    "clock steps by", "has to read on of", "strikes", "sheds", "fails to write file anew",
    "sleep of", "wakes", "outbox trimmed", "tells of", "hangs up",
}  # fmt: skip


def command(*words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation", *words],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_schedules_come_through_every_narrow_place():
    played = play(SEED, range(2_000))

    assert played.failure == ""
    assert NARROW - played.met.keys() == set()


def test_schedules_are_the_same_in_every_process():
    def digest(hash_seed: str) -> str:
        run = command("--seed", "7", "--schedules", "300", PYTHONHASHSEED=hash_seed)
        output, _ = run.communicate(timeout=120)
        assert run.returncode == 0, output
        return output.rpartition("digest ")[2]

    first, second = digest("1"), digest("2")

    assert len(first.strip()) == 16
    assert first == second


def test_a_violation_ends_the_command_with_how_to_see_it_again(capsys):
    status = main(["--schedules", "50", "--seed", "3"], cast=MUTANTS["no sweep"])

    output = capsys.readouterr().out
    assert status == 1
    assert "END" in output
    assert "python -m tests.simulation --seed 3 --only" in output
    assert "files bridge" in output


def test_the_command_reports_how_many_schedules_held(capsys):
    status = main(["--schedules", "20", "--seed", "3"])

    assert status == 0
    assert "20  schedules of seed 3, no violation" in capsys.readouterr().out


@pytest.mark.timeout(120)
def test_ctrl_c_ends_the_command_with_what_was_played():
    run = command("--schedules", "10000000")
    deadline = time.monotonic() + 60
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while not children.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)

    run.send_signal(signal.SIGINT)
    output, errors = run.communicate(timeout=60)

    assert run.returncode == 130
    assert "schedules of seed 1, no violation" in output
    assert "Traceback" not in errors
