"""The grid on which sources are pulled: exact over a day, spread over articles."""

from __future__ import annotations

import pytest

from services.ingest.core.ticks import (
    LONGEST_PAUSE_MS,
    Grid,
    Pulse,
    identity,
    loaded,
    pause_ms,
)

#: 2026-11-24T10:00:00Z
OPENED = 1_795_514_400_000
TEN_MINUTES = 600_000
DAY = 86_400_000
GRID = Grid("harbour-bridge", OPENED, TEN_MINUTES)


def test_a_day_of_ten_minutes_has_144_ticks_none_of_them_late_however_late_each_was_done():
    # given a process that looks late, and takes its time
    now, ticks = float(OPENED), list[int]()
    # when a day goes by
    while (due := GRID.after(now)) < OPENED + DAY:
        now = due + 397.5 + len(ticks) * 17 % 1_000
        ticks.append(GRID.tick(now))
    # then the ticks stand where they would if it never had been
    assert ticks == [OPENED + n * TEN_MINUTES for n in range(144)]


def test_after_an_outage_the_last_tick_stands_for_all_that_were_missed():
    now = OPENED + 5 * 3_600_000 + 123_456
    assert GRID.tick(now) == OPENED + 5 * 3_600_000
    assert GRID.after(now) == OPENED + 5 * 3_600_000 + TEN_MINUTES + GRID.jitter


@pytest.mark.parametrize(("cadence", "most"), [(10_000, 1_000), (60_000, 6_000), (DAY, 30_000)])
def test_articles_tick_apart_by_a_tenth_of_the_cadence_or_half_a_minute(cadence, most):
    jitters = [Grid(f"story-{n}", OPENED, cadence).jitter for n in range(1_000)]
    # then they are spread evenly, and each has its own for ever
    assert 0 <= min(jitters) < most * 0.01
    assert most * 0.99 < max(jitters) < most
    busiest = max(sum(jitter * 10 // most == part for jitter in jitters) for part in range(10))
    assert busiest < 150
    assert jitters == [Grid(f"story-{n}", OPENED, cadence).jitter for n in range(1_000)]


def test_there_is_no_tick_before_publication_whatever_the_clocks_say():
    for early in (1, TEN_MINUTES, DAY):
        assert GRID.after(OPENED - early) == OPENED + GRID.jitter
        assert GRID.tick(OPENED - early) == OPENED


def test_a_source_that_fails_is_asked_ever_more_seldom_and_soon_at_first():
    pauses = [pause_ms(TEN_MINUTES, failures, 0.0) for failures in range(1, 12)]
    assert pauses[:5] == [30_000, 60_000, 120_000, 240_000, 480_000]
    assert pauses[-1] == LONGEST_PAUSE_MS
    assert pause_ms(DAY, 50, 0.0) == DAY
    assert pause_ms(1_000, 1, 0.0) == 1_000
    assert pause_ms(TEN_MINUTES, 1, 1.0) == pytest.approx(36_000)


def test_who_asks_to_be_left_alone_is_and_one_success_forgets_all():
    pulse = Pulse(identity("feed", "https://example.org/feed"), OPENED, TEN_MINUTES)
    first = pulse.failed(OPENED, "it answers (503)", 0.5, 900.0)
    again = first.failed(first.rests, "it answers (502)", 0.0)
    assert first.rests == OPENED + 900_000
    assert (again.failures, again.failure, again.since) == (2, "it answers (502)", OPENED)
    assert loaded(again.dumps().encode()) == again
    assert again.done(OPENED) == Pulse(pulse.source, OPENED, TEN_MINUTES, OPENED)


@pytest.mark.parametrize("text", [None, b"", b"{", b"[]", b'{"source": 1, "other": 2}'])
def test_what_can_not_be_read_of_how_a_source_does_is_nothing(text):
    assert loaded(text) is None
