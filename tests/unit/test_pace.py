"""Bursts become few commits, and what can't wait doesn't."""

from __future__ import annotations

import orjson
import pytest

from services.render.core.pace import AT_ONCE, Pace, may_wait
from tests.builders import (
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)


def commits(gap: float, many: int) -> list[float]:
    """Return when an article is committed of which an update comes each *gap* seconds."""
    pace, found, turn = Pace(), list[float](), None
    for n in range(many):
        now = n * gap
        if turn is not None and turn <= now:
            found.append(turn)
            pace.committed("story", turn)
            turn = None
        if turn is None:
            turn = now + pace.wait("story", now)
    return found


def test_a_hundred_updates_in_a_second_are_some_twenty_commits():
    found = commits(0.01, 101)
    assert len(found) == pytest.approx(20, abs=1)
    assert found[: AT_ONCE - 1] == pytest.approx([0.0, 0.01, 0.02])


def test_who_files_sixteen_times_a_second_or_less_never_waits():
    pace = Pace()
    for n in range(1_000):
        assert pace.wait("story", n / 16) == pytest.approx(0.0, abs=1e-6)
        pace.committed("story", n / 16)
    assert pace.wait("other", 0.0) == 0.0


@pytest.mark.parametrize(
    ("event", "waits"),
    [
        (posted("a"), True), (posted("a", urgency=4), True), (revised("a", text="A."), True),
        (pinned("a"), True), (posted("a", urgency=3), False), (posted("a", urgency=1), False),
        (corrected("a"), False), (retracted("a"), False), (killed(), False), (closed(), False),
        (published(), False), (writethru(headline="A"), False),
    ],
    ids=lambda value: str(value["type"]) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_breaks_takes_back_opens_or_ends_waits_for_nobody(event, waits):
    assert may_wait({b"data": orjson.dumps(event)}) is waits


@pytest.mark.parametrize(
    "fields", [{}, {b"data": b"{"}, {b"data": b"[]"}, {b"data": b'{"data":1}'}]
)
def test_what_can_not_be_read_waits_for_nobody(fields):
    assert not may_wait(fields)
