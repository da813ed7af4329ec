"""What may be seen of a ledger has nothing of what was taken back, and gives the same page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.core.filing import Filing
from shared.article.article import Article, Entry
from shared.article.fold import replay
from shared.article.visible import TakenBack, taken_back, update_of, visible, visible_entry
from shared.contract.canonical import fingerprint
from shared.contract.events import parse_event
from tests.builders import SLUG, corrected, killed, posted, published, retracted, revised, writethru
from tests.properties.test_fold import canaries, everything, histories

Envelope = Mapping[str, Any]

KILLED, U1 = TakenBack(killed=True), TakenBack(retracted=frozenset({"u1"}))


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


def chained(events: Sequence[Envelope]) -> list[Entry]:
    return [Entry(seq, f"{seq:040}", parse_event(each)) for seq, each in enumerate(events, 1)]


def stood(entries: Sequence[Entry], version: int) -> Article:
    """Return the article at *version*, without what was taken back up to the last of *entries*."""
    taken = taken_back(entry.event.envelope for entry in entries if entry.event)
    return replay(SLUG, [visible_entry(entry, taken) for entry in entries[:version]])


def said_for_good(event: Envelope, taken: TakenBack) -> object:
    """Return what stays of *event*, which is on an update that was taken back: a note, or none."""
    stays = update_of(event) not in taken.redacted or event["type"].endswith(".redacted")
    return event["data"].get("note") if stays else None


@given(histories())
def test_what_was_taken_back_is_what_ingest_would_say_was(history: list[Entry]) -> None:
    filing, events = filed(history)

    taken = taken_back(events)

    assert taken.killed == (filing.status == "killed")
    gone = {name for name, status in filing.posted.items() if status == "retracted"}
    assert taken.updates == gone
    halves = taken_back(events[3:], taken_back(events[:3]))
    assert halves == taken


@given(histories())
def test_a_masked_ledger_passes_the_checks_and_folds_to_the_same_article(
    history: list[Entry],
) -> None:
    entries = chained(filed(history)[1])

    assert stood(entries, len(entries)) == replay(SLUG, entries)


@given(histories())
def test_a_masked_ledger_has_nothing_of_what_was_taken_back(history: list[Entry]) -> None:
    filing, events = filed(history)
    taken = taken_back(events)

    for before in events:
        if filing.status == "killed":
            expected = canaries(before) if before["type"].endswith(".killed") else set()
        elif filing.posted.get(update_of(before) or "") == "retracted":
            expected = canaries(said_for_good(before, taken))
        else:
            expected = canaries(before)
        assert canaries(visible(before, taken)) == expected


@given(histories(), st.data())
def test_an_article_as_it_stood_has_nothing_of_what_was_taken_back_since(
    history: list[Entry], data: st.DataObject
) -> None:
    filing, events = filed(history)
    entries = chained(events)
    version = data.draw(st.integers(0, len(entries)))

    article = stood(entries, version)

    whole = replay(SLUG, entries[:version])
    assert (article.head.version, article.head.posted) == (version, whole.head.posted)
    gone, taken = set[str](), taken_back(events)
    for event in events:
        if update_of(event) in taken.updates and not taken.killed:
            gone |= canaries(event) - canaries(said_for_good(event, taken))
        elif filing.status == "killed":
            gone |= canaries(event) if not event["type"].endswith(".killed") else set()
    assert not gone & canaries(everything(article))


@given(histories())
def test_an_article_as_it_stood_is_what_it_was_where_nothing_was_taken_back(
    history: list[Entry],
) -> None:
    entries = chained(filed(history)[1])
    taken = taken_back(entry.event.envelope for entry in entries if entry.event)
    if taken == TakenBack():
        for version in range(len(entries) + 1):
            assert stood(entries, version) == replay(SLUG, entries[:version])


def test_a_masked_event_says_so_and_keeps_what_says_nothing() -> None:
    event = posted(
        "u1", "Secret.", id="e7", at="2026-03-01T09:10:00Z", headline="Secret", authors=["Secret"],
        sources=[{"n": 1, "url": "https://secret.example"}], key_event=True, urgency=2,
        provenance="wire", images=None,
    ) | {"baseversion": 3, "desk": "Secret"}  # fmt: skip

    assert visible(event, U1) == {
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

    assert visible(note, U1) is note
    assert visible(stop := killed("Legal advice."), KILLED) is stop


def test_an_entry_that_nobody_can_read_stays_one() -> None:
    unreadable = replace(chained([posted("u1")])[0], event=None)

    assert visible_entry(unreadable, U1) is unreadable


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

    shown = [visible(event, KILLED) for event in events]

    assert "secret" not in str(shown).lower()
    assert shown[0]["data"]["locale"] == "de-DE"
    assert "Legal advice." in str(shown)
    for each in shown:
        parse_event(each)


def test_an_update_is_known_by_its_own_id_or_its_events() -> None:
    unnamed = posted("u1", id="e7")
    del unnamed["data"]["update_id"]

    assert update_of(unnamed) == "e7"
    assert update_of(posted("u1", id="e7")) == "u1"
    assert update_of(published(id="e7")) is None
