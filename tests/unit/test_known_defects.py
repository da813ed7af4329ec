"""What others' live articles got wrong in what search engines read, each as a test of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.builders import Envelope, article, closed, corrected, posted, published, retracted
from tests.unit.test_vocabulary import data_of, everything

LONG = "The pier had not moved, engineers said, and the river was open to all vessels. " * 60


def said(*events: Envelope) -> dict[str, Any]:
    return data_of(article(*events))


def test_the_text_of_an_update_is_whole_however_long_it_is():
    (update,) = said(published(), posted("u1", LONG))["liveBlogUpdate"]
    assert update["articleBody"] == LONG.strip()


def test_the_text_of_an_update_is_a_string_whose_paragraphs_do_not_run_together():
    (update,) = said(published(), posted("u1", "One.\n\nTwo *three*.\n\n- four"))["liveBlogUpdate"]
    assert update["articleBody"] == "One.\nTwo three.\n- four"


def test_updates_are_a_list_of_objects_and_not_a_list_in_a_list():
    updates = everything()["liveBlogUpdate"]
    assert updates
    assert all(isinstance(each, dict) for each in updates)


def test_coverage_has_no_end_while_it_goes_on():
    story = [published(), posted("u1"), posted("u2")]
    assert "coverageEndTime" not in said(*story)
    assert "coverageEndTime" in said(*story, closed())


def test_coverage_does_not_begin_anew_with_every_post():
    story = [published()]
    starts = set()
    for number in range(4):
        story.append(posted(f"u{number}"))
        starts.add(said(*story)["coverageStartTime"])
    assert starts == {"2026-03-01T09:00:00Z"}


def test_an_update_that_was_corrected_says_when_it_was_and_what_was_wrong():
    corrections = [corrected("u1", at="2026-03-01T11:00:00Z", note="They were lorries.")]
    (update,) = said(published(), posted("u1"), *corrections)["liveBlogUpdate"]
    assert update["dateModified"] == "2026-03-01T11:00:00Z"
    assert [each["text"] for each in update["correction"]] == ["They were lorries."]


def test_an_update_has_what_search_engines_ask_for():
    for update in everything()["liveBlogUpdate"]:
        assert update["headline"]
        assert update["articleBody"]
        assert update["datePublished"]


def test_no_update_is_there_twice_and_the_newest_stands_first():
    story = [published(), *(posted(f"u{n}") for n in range(5)), corrected("u1"), corrected("u1")]
    updates = said(*story)["liveBlogUpdate"]
    assert len({each["@id"] for each in updates}) == len(updates) == 5
    times = [each["datePublished"] for each in updates]
    assert all(later >= earlier for later, earlier in pairwise(times))


def test_what_was_taken_back_is_not_there():
    document = str(said(published(), posted("u1", "A secret."), retracted("u1", note="None.")))
    assert "secret" not in document
    assert "None." in document


@pytest.mark.parametrize(
    ("zone", "at", "same"),
    [
        # Clocks go back in New York at 06:00Z: the hour from 05:30Z to 06:30Z is told twice
        ("America/New_York", "2025-11-02T01:30:00-04:00", datetime(2025, 11, 2, 5, 30, tzinfo=UTC)),
        ("America/New_York", "2025-11-02T01:30:00-05:00", datetime(2025, 11, 2, 6, 30, tzinfo=UTC)),
        # No whole hours from Greenwich
        ("Asia/Kolkata", "2026-03-01T09:15:00+05:30", datetime(2026, 3, 1, 3, 45, tzinfo=UTC)),
        ("Asia/Kathmandu", "2026-03-01T09:15:00+05:45", datetime(2026, 3, 1, 3, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_the_same_moment_in_any_zone_and_on_both_sides_of_a_change_of_clocks(
    zone, at, same
):
    (update,) = said(published(timezone=zone), posted("u1", at=at))["liveBlogUpdate"]
    assert datetime.fromisoformat(update["datePublished"]) == same


def test_what_is_said_does_not_depend_on_when_one_asks():
    story = [published(), posted("u1"), corrected("u1")]
    assert said(*story) == said(*story)
    assert said(*story)["dateModified"] == "2026-03-01T09:20:00Z"
