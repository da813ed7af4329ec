"""How many messages a process has out, whoever answers and whoever doesn't."""

from __future__ import annotations

from services.deliver.webhooks.courier import OUT, OUT_FAILING, Gate
from shared.runtime.fetching import CONNECTIONS


def test_endpoints_that_fail_leave_room_for_the_others_and_all_have_a_connection() -> None:
    gate = Gate()
    gate.move(OUT_FAILING, failing=True)
    assert gate.room(failing=True) == 0
    assert gate.room(failing=False) == OUT
    gate.move(OUT, failing=False)
    assert gate.room(failing=False) == 0
    assert gate.out + gate.out_failing <= CONNECTIONS
    gate.move(-1, failing=True)
    assert gate.room(failing=True) == 1
