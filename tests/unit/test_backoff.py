"""When a webhook is sent again, on a clock that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliver.core.backoff import HOUR, LONGEST_REST, Schedule, outcome_of, rest_of

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def test_there_are_ten_attempts_over_three_days_and_some_hours() -> None:
    schedule, clock, attempts = Schedule(), 0.0, 1
    while (pause := schedule.pause(attempts, chance=0.0)) is not None:
        clock += pause
        attempts += 1
    assert attempts == 10
    assert 75 * HOUR < clock < 76 * HOUR


@given(failed=st.integers(1, 9), chance=st.floats(0, 1))
def test_chance_spreads_an_attempt_over_a_tenth_of_its_pause(failed: int, chance: float) -> None:
    least = Schedule().pause(failed, 0.0)
    pause = Schedule().pause(failed, chance)
    assert least is not None
    assert pause is not None
    assert least <= pause <= least * 1.1 + 0.01


def test_a_subscriber_that_asks_for_longer_is_left_alone_for_longer() -> None:
    assert Schedule().pause(1, 0.0, rest=120.0) == 120.0
    assert Schedule().pause(9, 0.0, rest=120.0) == 24 * HOUR


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("Sun, 01 Mar 2026 09:05:00 GMT", 300.0),
        ("Sun, 01 Mar 2026 08:00:00 GMT", 0.0),
        ("99999999999999999999", LONGEST_REST),
        ("Sun, 01 Mar 2099 08:00:00 GMT", LONGEST_REST),
        ("-5", 0.0),
        ("²", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_more_than_a_day(
    said: str, seconds: float
) -> None:
    assert rest_of(503, {"retry-after": said}, NOW) == seconds


def test_who_took_the_message_asks_for_no_rest() -> None:
    assert rest_of(200, {"retry-after": "120"}, NOW) == 0.0


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (204, "delivered"), (301, "failed"), (404, "failed"), (410, "gone"),
     (500, "failed"), (None, "failed"), (199, "failed"), (300, "failed")],
)  # fmt: skip
def test_only_a_success_is_one_and_gone_is_for_good(status: int | None, outcome: str) -> None:
    assert outcome_of(status) == outcome
