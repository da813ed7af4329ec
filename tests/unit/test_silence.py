"""The check of the logs that tests leave: it finds what it is there for, and nothing else."""

from __future__ import annotations

import pytest

from tests.silence import broken, copy

TOKEN = f"wt_{'1f' * 5}_{'a-Z_9' * 8}xyz"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"event": "article.failed", "text": "The first cars crossed."}', 1),
        (f'{{"event": "key.refused", "token": "{TOKEN}"}}', 1),
        ("the engine fails (redis://ingest:secret@engine:6379)", 1),
        (f"rediss://:secret@engine It is open. {TOKEN}", 3),
        ('{"event": "key.refused", "key": "1f2f3f4f5f", "article": "harbour-bridge"}', 0),
        ("engine  redis://127.0.0.1:6379/0  data in data", 0),
        ("to make one: writethru keys create NAME --scope publish", 0),
    ],
)
def test_copy_keys_and_passwords_are_found_in_a_log_and_ordinary_lines_pass(
    line: str, found: int
) -> None:
    assert len(list(broken(line))) == found


def test_what_the_builders_file_by_themselves_is_looked_for() -> None:
    assert {"Harbour bridge reopens", "The first cars crossed.", "Legal advice."} <= copy()
