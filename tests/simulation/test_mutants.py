"""Every seeded bug is found: without that, a simulation that finds nothing says nothing."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.schedule import first_failure

SEED = 1
#: The rarest bugs show in one schedule of some thousands that have what they need.
SCHEDULES_A_MUTANT = 60_000


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_seeded_bug_is_found(name):
    failure = first_failure(MUTANTS[name], SEED, range(SCHEDULES_A_MUTANT))

    assert failure is not None, f"not found in {SCHEDULES_A_MUTANT:,} schedules of seed {SEED}"
    print(f"{name}: found in schedule {failure.number:,}, {failure.rule}")  # noqa: T201
