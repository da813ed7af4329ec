"""Renderers stand still, and more comes than may wait: busy in time, pages up, nothing lost."""

from __future__ import annotations

import pytest

from tests.chaos import backpressure

MOST = 300


@pytest.mark.chaos
@pytest.mark.timeout(300)
def test_with_renderers_stopped_ingest_is_busy_in_time_and_all_is_rendered_afterwards(tmp_path):
    pressed = backpressure.run(tmp_path, seconds=6.0, most=MOST, rate=400.0)

    assert not pressed.findings, pressed.findings.broken
    assert pressed.busy_after is not None
    assert int(pressed.retry_after) > 0
    assert pressed.busy > 0
    assert (pressed.pages > 0, pressed.pages_down) == (True, 0)
    # It is looked at once a second, and what was taken since is counted; kills come in anyhow.
    assert pressed.waiting + pressed.accepted >= MOST
    assert pressed.waiting < 2 * MOST
