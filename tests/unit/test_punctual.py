"""Whether an article keeps the promise on its page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.article.article import Head
from shared.article.punctual import overdue_after, promise_of

OPENED = datetime(2026, 3, 1, 9, tzinfo=UTC)
LIVE = Head("harbour-bridge", 1, "c" * 40, "live", published_at=OPENED, cadence_seconds=600)


def after(seconds: float) -> datetime:
    return OPENED + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "standing"),
    [(0, "on time"), (599, "on time"), (600, "due"), (1_199, "due"), (1_200, "overdue")],
)
def test_news_is_due_after_a_cadence_and_overdue_after_another(seconds, standing):
    promise = promise_of(LIVE)
    assert promise is not None
    assert promise.at(after(seconds)) == standing


def test_news_turns_it_back_and_the_next_is_expected_from_there():
    # given an article that is overdue
    # when there is an update
    promise = promise_of(replace(LIVE, acted_at=after(5_000)))
    # then it is on time, for a cadence from that update
    assert promise is not None
    assert promise.at(after(5_000)) == "on time"
    assert promise.at(after(5_599)) == "on time"
    assert promise.at(after(5_600)) == "due"


@pytest.mark.parametrize(
    ("cadence", "seconds"),
    [(1, 61), (60, 120), (600, 1_200), (1_800, 3_600), (3_600, 5_400), (86_400, 88_200)],
)
def test_the_grace_is_another_cadence_between_a_minute_and_half_an_hour(cadence, seconds):
    assert overdue_after(cadence) == seconds


@pytest.mark.parametrize(
    "head",
    [
        replace(LIVE, cadence_seconds=None),
        replace(LIVE, status="closed"),
        replace(LIVE, status="killed"),
        replace(LIVE, status="unpublished", published_at=None),
        replace(LIVE, published_at=datetime.max.replace(tzinfo=UTC)),
    ],
    ids=["without a cadence", "closed", "killed", "not there yet", "at the end of time"],
)
def test_what_promises_nothing_breaks_nothing(head):
    assert promise_of(head) is None
