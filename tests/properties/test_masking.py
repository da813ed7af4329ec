"""Masked ledgers: nothing of what was taken back is in them, and the page stays the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given

from services.ingest.core import masking
from services.ingest.core.filing import Filing
from shared.article.article import Entry
from shared.article.fold import replay
from shared.contract.canonical import fingerprint
from shared.contract.events import parse_event
from tests.builders import SLUG, corrected, killed, posted, published, retracted, revised, writethru
from tests.properties.test_fold import canaries, histories

Envelope = Mapping[str, Any]


def filed(entries: Sequence[Entry]) -> tuple[Filing, list[Envelope]]:
    """Return what ingest would have accepted of *entries*, and what became of the article."""
    filing = Filing()
    accepted = [
        entry.event.envelope
        for entry in entries
        if entry.event is not None
        and filing.take(entry.event, fingerprint(b"", entry.event.envelope)).code == "accepted"
    ]
    return filing, accepted


def masked(filing: Filing, events: Sequence[Envelope]) -> list[Envelope]:
    if filing.status == "killed":
        return [masking.killed(event) for event in events]
    gone = {name for name, status in filing.posted.items() if status == "retracted"}
    return [masking.retracted(e) if masking.update_of(e) in gone else e for e in events]


def chained(events: Sequence[Envelope]) -> list[Entry]:
    return [Entry(seq, f"{seq:040}", parse_event(each)) for seq, each in enumerate(events, 1)]


@given(histories())
def test_a_masked_ledger_passes_the_checks_and_folds_to_the_same_article(
    history: list[Entry],
) -> None:
    filing, events = filed(history)

    shown = masked(filing, events)

    assert replay(SLUG, chained(shown)) == replay(SLUG, chained(events))


@given(histories())
def test_a_masked_ledger_has_nothing_of_what_was_taken_back(history: list[Entry]) -> None:
    filing, events = filed(history)

    for before, after in zip(events, masked(filing, events), strict=True):
        if filing.status == "killed":
            expected = canaries(before) if before["type"].endswith(".killed") else set()
        elif filing.posted.get(masking.update_of(before) or "") == "retracted":
            expected = canaries(before["data"].get("note"))
        else:
            expected = canaries(before)
        assert canaries(after) == expected


def test_a_masked_event_says_so_and_keeps_what_says_nothing() -> None:
    event = posted(
        "u1", "Secret.", id="e7", at="2026-03-01T09:10:00Z", headline="Secret", authors=["Secret"],
        sources=[{"n": 1, "url": "https://secret.example"}], key_event=True, urgency=2,
        provenance="wire", images=None,
    ) | {"baseversion": 3, "desk": "Secret"}  # fmt: skip

    assert masking.retracted(event) == {
        "specversion": "1.0",
        "id": "e7",
        "source": "/newsroom/cms",
        "type": "writethru.update.posted",
        "subject": SLUG,
        "time": "2026-03-01T09:10:00Z",
        "baseversion": 3,
        "masked": True,
        "data": {
            "update_id": "u1", "text": "[masked]", "headline": "[masked]", "authors": [],
            "sources": [], "key_event": True, "urgency": 2, "provenance": "wire", "images": None,
        },
    }  # fmt: skip


def test_an_event_without_copy_is_left_as_it_is() -> None:
    note = retracted("u1", "It did not happen.")

    assert masking.retracted(note) is note
    assert masking.killed(stop := killed("Legal advice.")) is stop


def test_after_a_kill_only_its_own_note_is_left() -> None:
    events = [
        published("Secret", "Secret", tags=["Secret"], section="Secret", locale="de-DE"),
        writethru(summary="Secret", image="https://secret.example/1.jpg", note="Secret"),
        posted("u1", "Secret"),
        revised("u1", text="Secret"),
        corrected("u1", "Secret", "Secret"),
        retracted("u1", "Secret"),
        killed("Legal advice."),
    ]

    shown = [masking.killed(event) for event in events]

    assert "secret" not in str(shown).lower()
    assert shown[0]["data"]["locale"] == "de-DE"
    assert "Legal advice." in str(shown)
    for each in shown:
        parse_event(each)


def test_an_update_is_known_by_its_own_id_or_its_events() -> None:
    unnamed = posted("u1", id="e7")
    del unnamed["data"]["update_id"]

    assert masking.update_of(unnamed) == "e7"
    assert masking.update_of(posted("u1", id="e7")) == "u1"
    assert masking.update_of(published(id="e7")) is None
