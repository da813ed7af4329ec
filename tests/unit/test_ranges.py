"""Parts of a representation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliver.core.ranges import UnsatisfiableError, part_of

TEN = b"0123456789"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", b"0123"),
        ("bytes=3-3", b"3"),
        ("bytes=7-", b"789"),
        ("bytes=7-99", b"789"),
        ("bytes=-2", b"89"),
        ("bytes=-99", TEN),
        ("Bytes=0-0", b"0"),
        # and what is not listened to
        ("", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=0--1", None),
        ("bytes=0-1-2", None),
        ("lines=0-1", None),
        ("bytes=²-3", None),
    ],
)
def test_one_range_of_bytes_is_a_part_and_anything_else_is_the_whole(header, expected):
    part = part_of(header, len(TEN))

    assert (part and TEN[part.first : part.last + 1]) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999999999-"])
def test_what_begins_beyond_the_end_can_not_be_had(header):
    with pytest.raises(UnsatisfiableError):
        part_of(header, len(TEN))


@given(st.text(), st.integers(0, 100))
def test_no_range_is_too_odd_or_leads_outside(header, size):
    for asked in (header, f"bytes={header}"):
        try:
            part = part_of(asked, size)
        except UnsatisfiableError:
            continue
        assert part is None or 0 <= part.first <= part.last < size
