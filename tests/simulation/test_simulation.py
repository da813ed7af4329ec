"""The protocol holds in every schedule, and the simulator would have seen it if it didn't."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.mutants import MUTANTS
from tests.simulation.schedule import PROTOCOL, Schedule, first_failure

ROOT = Path(__file__).parents[2]
SEED = 1
SCHEDULES = 20_000
#: The rarest bug shows in one schedule of a few thousand.
SCHEDULES_A_MUTANT = 60_000

#: The narrow places. A simulator that doesn't come through them proves little.
NARROW = {
    "is committed at", "is stale at", "is fork at", "is missing at", "is acked at", "replays",
    "is stale again at", "takes back for", "drops", "loses reply", "gives up on", "crash of",
    "pause of", "events trimmed", "group lost", "consumer deleted", "engine restart", "failover",
    "finds a commit came between on", "releases of", "releases by hand", "spikes by hand",
    "clock steps by",
}  # fmt: skip


@pytest.mark.timeout(600)
def test_no_schedule_breaks_an_invariant():
    failure = first_failure(PROTOCOL, SEED, SCHEDULES)

    assert failure is None, failure


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_found(name):
    failure = first_failure(MUTANTS[name], SEED, SCHEDULES_A_MUTANT)

    assert failure is not None, f"not found in {SCHEDULES_A_MUTANT:,} schedules of seed {SEED}"
    print(f"{name}: found in schedule {failure.number:,}, {failure.rule}")  # noqa: T201


def test_schedules_come_through_every_narrow_place():
    met: Counter[str] = Counter()

    for number in range(2_000):
        schedule = Schedule(SEED, number)
        schedule.run()
        met.update(schedule.met())

    assert NARROW - met.keys() == set()


@pytest.mark.parametrize("number", [42, 43], ids=["lossless", "lossy"])
def test_a_schedule_is_the_same_in_every_process(number):
    def story(hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.simulation", "--seed", "7", "--only", str(number)]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        return run.stdout

    first, second = story("1"), story("2")

    assert len(first.splitlines()) > 40
    assert first == second


def test_a_violation_ends_the_command_with_the_seed_and_every_step(capsys):
    status = main(["--schedules", "50", "--seed", "3"], cast=MUTANTS["no sweep"])

    output = capsys.readouterr().out
    assert status == 1
    assert "I7" in output
    assert "seed 3, schedule" in output
    assert "reads wake-ups" in output


def test_the_command_reports_how_many_schedules_held(capsys):
    status = main(["--schedules", "20", "--seed", "3"])

    output = capsys.readouterr()
    assert status == 0
    assert "20  schedules of seed 3, no violation" in output.out
    assert "20 of 20 schedules" in output.err
