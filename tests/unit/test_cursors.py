"""Where a reader is, in one article and in the outboxes of all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliver.core.cursors import (
    START,
    Outbox,
    cursor,
    entry_id,
    mark_id,
    parse_cursor,
    parse_mark,
    parse_place,
    unbroken,
)
from shared.article.article import Mark

TAGS = ("3", "8", "15")
numbers = st.integers(0, 2**63)
places = st.fixed_dictionaries({tag: st.tuples(numbers, numbers) for tag in TAGS})


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("0", Mark(0)),
        ("8", Mark(8)),
        ("8.9f86d081884c", Mark(8, "9f86d081884c")),
        ("999999999999999", Mark(999_999_999_999_999)),
    ],
)
def test_a_version_with_or_without_its_chain_is_read(text, mark):
    assert parse_mark(text) == mark


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "08", "1.", "8.9f86", "8.9F86D081884C", "8.9f86d081884c0", "8 ", " 8", "8\n",
     "٨", "1e3", "8.5", "1" * 16, "8.9f86d081884c.1"],
)  # fmt: skip
def test_what_is_no_version_is_not_read(text):
    assert parse_mark(text) is None


def test_an_id_of_the_stream_is_read_as_it_is_written():
    mark = Mark(8, "9f86d081884c")

    assert parse_mark(mark_id(mark)) == mark


@given(places)
def test_a_cursor_gives_back_the_place_in_every_lane(where):
    assert parse_cursor(TAGS, cursor(TAGS, where)) == where


@given(places)
def test_a_cursor_of_other_lanes_is_foreign(where):
    text = cursor(TAGS, where)

    assert parse_cursor(TAGS[:2], text) is None
    assert parse_cursor(("3", "8", "16"), text) is None


@given(st.text(max_size=60))
def test_no_cursor_whatever_it_holds_is_an_error(text):
    assert parse_cursor(TAGS, text) is None


def test_a_cursor_with_a_damaged_place_is_foreign():
    text = cursor(TAGS, dict.fromkeys(TAGS, (17, 1)))

    assert parse_cursor(TAGS, text[:-1] + "z") is None
    assert parse_cursor(TAGS, text.rpartition("-")[0]) is None


def test_places_compare_as_the_engine_compares_ids():
    earlier, later = parse_place(b"999-10"), parse_place(b"1000-2")

    assert earlier < later
    assert parse_place(b"1000-9") < parse_place(b"1000-10")
    assert entry_id(later) == "1000-2"


@pytest.mark.parametrize(
    ("place", "outbox", "whole"),
    [
        (START, Outbox(), True),
        ((5, 0), Outbox((5, 0), added=3, length=3, holds=True), True),
        ((5, 0), Outbox((5, 0), added=3, length=0), True),
        ((5, 0), Outbox((9, 0), added=4, length=4, holds=True), True),
        (START, Outbox((9, 0), added=4, length=4), True),
        (START, Outbox((9, 0), added=4, length=3), False),
        ((5, 0), Outbox((9, 0), added=4, length=1), False),
        ((5, 0), Outbox((4, 0), added=2, length=2), False),
        ((5, 0), Outbox(), False),
    ],
    ids=[
        "nothing was ever added",
        "at its end",
        "at its end, and all trimmed",
        "its entry is there",
        "nothing was trimmed since the start",
        "the start was trimmed",
        "its entry was trimmed",
        "it was rolled back",
        "it was flushed",
    ],
)
def test_an_outbox_can_be_followed_on_from_a_place_or_not(place, outbox, whole):
    assert unbroken(place, outbox) is whole
