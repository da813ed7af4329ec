"""When a fold is no longer trusted in a lane."""

from __future__ import annotations

import pytest

from services.render.core.trust import IN_A_ROW, PERCENT, WINDOW, DistrustedError, Trust

MANY = WINDOW * PERCENT // 100


def judge(trust: Trust, seqs: range, failing: range | tuple[int, ...] = ()) -> None:
    trust.judge("ferry", seqs, failing)


def test_a_poisoned_event_now_and_then_stops_nothing() -> None:
    trust = Trust()
    for n in range(4 * WINDOW // 10):
        judge(trust, range(10 * n, 10 * n + 10), (10 * n, 10 * n + 1))
    assert not trust.stopped


def test_the_fiftieth_failure_in_a_row_stops_the_lane_before_it_is_committed() -> None:
    trust = Trust()
    judge(trust, range(IN_A_ROW - 1), range(IN_A_ROW - 1))
    trust.judge("pier", [1], [])
    for n in range(IN_A_ROW - 1):
        trust.judge("pier", [2 + n], [2 + n])
    with pytest.raises(DistrustedError, match=f"the last {IN_A_ROW} events"):
        trust.judge("bridge", [1], [1])
    assert trust.suspects == {"ferry", "pier", "bridge"}
    with pytest.raises(DistrustedError):
        trust.judge("bridge", [2], [])


def test_more_than_a_fifth_of_the_last_events_stops_the_lane() -> None:
    trust = Trust()
    for n in range(MANY):
        trust.judge("ferry", [2 * n, 2 * n + 1], [2 * n])
    with pytest.raises(DistrustedError, match=f"{MANY + 1} of the last {2 * MANY + 1} events"):
        trust.judge("ferry", [2 * MANY], [2 * MANY])


def test_an_event_that_is_tried_again_counts_once() -> None:
    trust = Trust()
    for _ in range(2 * IN_A_ROW):
        trust.judge("ferry", [7], [7])
    assert not trust.stopped
