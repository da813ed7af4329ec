"""The engine's file cut off in the middle of two commits, on every seventh cut of the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.torn import stands, write

STEP = 7 * 7


@pytest.mark.chaos
@pytest.mark.timeout(240)
def test_an_engine_whose_file_is_torn_stands_between_two_steps_and_goes_on(tmp_path: Path):
    written = write(tmp_path / "data")

    found = {(each.seq, each.version) for each in stands(written, written.cuts(STEP), tmp_path)}

    assert found >= {(2, 2), (3, 2), (3, 3), (4, 3)}
