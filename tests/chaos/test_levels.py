"""Each level keeps what it says in the disaster that it is for; `memory` promises nothing."""

from __future__ import annotations

import pytest

from tests.chaos.levels import CASES, Loss, keeps, measure


@pytest.mark.chaos
@pytest.mark.parametrize("case", [("restart", "fsync"), ("takeover", "replica")])
def test_what_was_acknowledged_at_a_level_is_there_after_its_disaster(case):
    [loss] = measure([case], rounds=1, seed=2)

    assert loss.acked > 0
    assert keeps(loss), loss


def test_what_a_level_does_not_promise_is_no_fault_and_what_it_does_is():
    lost = {(disaster, level) for disaster, level in CASES if keeps(Loss(disaster, level, lost=1))}

    assert lost == {
        ("restart", "memory"),
        ("takeover", "memory"),
        ("takeover", "fsync"),
        ("both", "replica"),
    }
    assert not any(keeps(Loss(disaster, level, broken=1)) for disaster, level in CASES)
