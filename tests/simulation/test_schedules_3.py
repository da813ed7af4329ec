"""A quarter of the schedules that each run of the suite plays; quarters run side by side."""

from __future__ import annotations

import pytest

from tests.simulation.cast import PROTOCOL
from tests.simulation.schedule import first_failure

QUARTER = 3
SCHEDULES = 25_000


@pytest.mark.timeout(600)
def test_no_schedule_breaks_an_invariant():
    quarter = range((QUARTER - 1) * SCHEDULES, QUARTER * SCHEDULES)

    assert str(first_failure(PROTOCOL, 1, quarter) or "") == ""
