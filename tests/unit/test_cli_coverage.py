"""The demo's sample coverage: it shows what the engine can do, and it is accepted whole."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson

from services.cli import coverage
from services.cli.fold import file
from services.cli.reading import Found
from shared.contract.acts import ACTS
from tests.builders import posted, published

MOMENT = datetime(2031, 5, 1, 9, 30, tzinfo=UTC)


def test_every_event_of_it_is_accepted():
    found = [
        Found("coverage", number, orjson.dumps(event).decode())
        for number, event in enumerate(coverage.load(), 1)
    ]

    assert len(file(found)) == len(found)


def test_it_shows_a_correction_a_retraction_a_writethru_and_the_end():
    acts = [coverage.act(event) for event in coverage.load()]

    assert acts[0] == "published"
    assert {"posted", "corrected", "retracted", "writethru"} <= set(acts)
    assert acts[-1] == "closed"


def test_an_event_filed_now_has_no_older_time_in_it():
    event = published(at="2026-03-01T09:00:00Z", published_at="2026-03-01T08:00:00Z")

    filed = coverage.filed_at(event, MOMENT)

    assert filed["time"] == "2031-05-01T09:30:00Z"
    assert filed["data"] == {"headline": event["data"]["headline"], "body": event["data"]["body"]}
    assert "published_at" in event["data"]


def test_there_is_a_word_for_every_act():
    assert {wire.rpartition(".")[2] for wire in ACTS} == coverage.WORDS.keys()


def test_an_act_is_told_by_its_note_before_its_text():
    assert coverage.gist(posted("u1", "It\nhas left.")) == "It has left."
    assert coverage.gist(posted("u1", "It has left.", note="A typo.")) == "A typo."
