"""What each act does to an article, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.article import fold as fold_module
from shared.article.article import Article, Body, Entry, Head, Mark, Note, Update
from shared.article.fold import HANDLERS, continued, fold, named, replay
from shared.contract.acts import ACTS, Corrected, Image, Killed, Posted
from tests.builders import (
    SLUG,
    article,
    closed,
    corrected,
    event,
    killed,
    ledger,
    pinned,
    posted,
    published,
    redacted,
    reopened,
    retracted,
    revised,
    unpinned,
    writethru,
)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


def clock(hour: int, minute: int = 0) -> str:
    return f"2026-03-01T{hour:02}:{minute:02}:00Z"


def texts(article: Article) -> dict[str, str | None]:
    updates = article.updates.values()
    return {each.update_id: each.copy.text if each.copy else None for each in updates}


def unmoved(before: Article, after: Article) -> bool:
    """Whether nothing but version and chain is different."""
    head = replace(after.head, version=before.head.version, chain=before.head.chain)
    return replace(after, head=head) == before


# The article


def test_an_article_opens_with_the_defaults_that_publishers_rely_on():
    # given an opening with no more than it must have
    # when it is folded
    head = article(published("Bridge opens", "Body.", at=clock(9))).head
    # then what it doesn't say is as promised
    assert (head.status, head.headline) == ("live", "Bridge opens")
    assert (head.timezone, head.locale, head.cadence_seconds) == ("UTC", "en-US", 600)
    assert head.published_at == head.updated_at == at(9)
    assert (head.update_count, head.pinned, head.note) == (0, None, None)
    assert head.update_order == "oldest-first"


def test_an_opening_says_when_it_was_published_if_not_now():
    head = article(published(at=clock(9), published_at=clock(7))).head
    # `Updated` is the latest of the publication and of what was done since, and this is neither
    assert head.published_at == head.updated_at == at(7)


def test_a_cadence_of_null_is_none_at_all():
    assert article(published(cadence_seconds=None)).head.cadence_seconds is None
    assert article(published(), writethru(cadence_seconds=None)).head.cadence_seconds is None


def test_an_opening_of_an_article_that_is_open_changes_nothing():
    before = article(published("One"))
    after = article(published("One"), published("Two"))
    assert after.head.headline == "One"
    assert after.head.version == before.head.version + 1


def test_nothing_happens_to_an_article_that_was_never_opened():
    after = article(posted("u1"), closed(), killed())
    assert (after.head.status, after.head.version, after.updates) == ("unpublished", 3, {})
    assert not after.head.quarantined


def test_a_writethru_replaces_what_it_names_and_leaves_the_rest():
    # given an article with every optional fact
    opening = published("One", "Old body.", **ALL_FACTS)
    before = article(opening)
    # when the headline alone is written through
    after = article(opening, writethru(headline="Two"))
    # then no other fact and no block of the body has changed
    head = replace(
        after.head, headline="One", acted_at=None, version=1, chain=before.head.chain, titled=1
    )
    assert replace(after, head=head) == before
    assert after.head.titled == 2


ALL_FACTS = {
    "published_at": clock(7),
    "timezone": "Europe/London",
    "locale": "en-GB",
    "cadence_seconds": 60,
    "section": "Transport",
    "tags": ["bridges", "traffic"],
    "authors": ["A. Writer"],
    "summary": "In short.",
    "image": {"url": "https://example.com/b.jpg", "alt": "A bridge"},
    "canonical_url": "https://example.com/bridge",
    "update_order": "newest-first",
}


@pytest.mark.parametrize(
    ("act", "changed"),
    [
        (posted("u3"), set()),
        (posted("u3", key_event=True), {"keyed"}),
        (posted("u3", sources=[{"n": 1, "url": "https://example.org/"}]), {"sourced"}),
        (corrected("u1"), {"noted"}),
        (corrected("u2"), {"noted", "keyed"}),
        (retracted("u2"), {"noted", "keyed", "sourced"}),
        (revised("u1", text="Tidied."), set()),
        (revised("u2", key_event=False), {"keyed"}),
        (pinned("u1"), set()),
        (writethru(headline="Two"), {"titled"}),
        (writethru(body="New."), set()),
        (writethru(note="New lede."), {"titled"}),
        (closed(), {"titled"}),
    ],
)
def test_a_head_says_at_which_version_each_of_its_lists_changed_last(act, changed):
    sources = [{"n": 1, "url": "https://example.org/"}]
    after = article(published(), posted("u1"), posted("u2", key_event=True, sources=sources), act)
    names = ("titled", "noted", "keyed", "sourced")
    assert {name for name in names if getattr(after.head, name) == 4} == changed


def test_null_in_a_writethru_clears_an_optional_fact():
    # given an article with every optional fact
    opening = published("One", "Body.", at=clock(9), **ALL_FACTS)
    # when null is sent for each
    head = article(opening, writethru(**dict.fromkeys(ALL_FACTS), at=clock(10))).head
    # then each is as if it had never been set; the cadence's null means none
    plain = article(published("One", "Body.", at=clock(9))).head
    for name in ALL_FACTS.keys() - {"cadence_seconds", "published_at"}:
        assert getattr(head, name) == getattr(plain, name), name
    assert head.cadence_seconds is None
    # and the publication goes back to the opening
    assert head.published_at == at(9)


def test_a_writethru_replaces_the_body_and_its_words():
    after = article(published(body="One two three."), writethru(body="## Four\n\nFive six."))
    assert [block.text for block in after.body.blocks] == ["Four", "Five six."]
    assert after.head.body_words == after.body.words == 2
    assert after.head.body == Mark(2, after.head.chain[:12])


def test_a_writethru_moves_updated():
    head = article(published(at=clock(9)), writethru(headline="Two", at=clock(10))).head
    assert head.updated_at == at(10)


def test_a_writethru_without_a_body_keeps_the_body_at_its_version():
    after = article(published(), writethru(headline="Two"))
    assert after.head.body.version == 1


def test_an_image_may_be_an_address_or_an_object():
    assert article(published(image="https://example.com/b.jpg")).head.image == (
        "https://example.com/b.jpg"
    )
    image = article(published(image={"url": "https://example.com/b.jpg", "alt": "B"})).head.image
    assert image == Image(url="https://example.com/b.jpg", alt="B")


@pytest.mark.parametrize(
    "fact", [{"timezone": "Asia/Tokyo"}, {"locale": "de-DE"}, {"update_order": "newest-first"}]
)
def test_a_writethru_that_changes_lines_all_over_the_page_says_so(fact):
    assert article(published(), posted("u1"), writethru(**fact)).head.arranged == 3


def test_a_writethru_that_sets_the_zone_as_it_was_rearranges_nothing():
    assert article(published(), writethru(timezone="UTC", locale="en-US")).head.arranged == 0


def test_coverage_ends_and_resumes():
    assert article(published(), closed()).head.status == "closed"
    assert article(published(), closed(), reopened()).head.status == "live"


def test_closed_and_reopened_done_twice_change_nothing():
    once = [published(), closed(note="We are done.")]
    assert unmoved(article(*once), article(*once, closed(note="Really.")))
    live = published()
    assert unmoved(article(live), article(live, reopened(note="We never stopped.")))


def test_a_close_does_not_move_updated():
    head = article(published(at=clock(9)), posted("u1", at=clock(10)), closed(at=clock(11))).head
    assert head.updated_at == at(10)


def test_the_note_of_a_status_goes_with_the_status():
    assert article(published(), closed(note="Done.")).head.note is not None
    assert article(published(), closed(note="Done."), reopened()).head.note is None


def test_the_note_of_a_writethru_stays_until_there_is_another():
    after = article(published(), writethru(body="B.", note="Adds the toll.", at=clock(10)))
    assert after.head.note == Note("writethru", at(10), "Adds the toll.")
    for silent in (writethru(body="C."), closed(), reopened()):
        after = continued(after, [entry_after(after, silent)])
        assert after.head.note == Note("writethru", at(10), "Adds the toll.")


def entry_after(article: Article, envelope: dict[str, object]) -> Entry:
    timed = {"time": clock(12)} | envelope
    return replace(ledger(timed)[0], seq=article.head.version + 1, chain="f" * 40)


def test_a_closed_article_takes_all_acts_but_posts():
    before = [published(), posted("u1"), posted("u2"), closed()]
    assert article(*before, posted("u3")).updates.keys() == {"u1", "u2"}
    after = article(
        *before,
        corrected("u1", "Right."), retracted("u2"), pinned("u1"), writethru(headline="Two"),
    )  # fmt: skip
    assert texts(after) == {"u1": "Right.", "u2": None}
    assert (after.head.pinned, after.head.headline) == ("u1", "Two")


def test_nothing_of_a_killed_article_is_left_but_that_when_and_why():
    # given an article with all that an article can have
    before = [
        published("Headline", "Body.", **ALL_FACTS), posted("u1"), posted("u2"), pinned("u1"),
        corrected("u1"), retracted("u2"), closed(note="Done."),
    ]  # fmt: skip
    # when it is killed
    after = article(*before, killed("Legal advice.", at=clock(12)))
    # then the zone and locale of that one line are all that remains
    assert after == Article(
        Head(
            SLUG, 8, after.head.chain, "killed", timezone="Europe/London", locale="en-GB",
            note=Note("killed", at(12), "Legal advice."),
        )
    )  # fmt: skip


def test_a_killed_article_stays_as_it_is_whatever_comes():
    opening = [published(), killed()]
    for act in (published(), posted("u1"), reopened(), writethru(headline="H"), killed("Again.")):
        assert unmoved(article(*opening), article(*opening, act)), act["type"]


def test_a_kill_forgets_what_the_same_fold_has_changed():
    entries = ledger(published(), posted("u1"), killed())
    folded = fold(Head(SLUG), Body(), {}, entries)
    assert (folded.changed, folded.body) == ({}, Body())


# Updates


def test_updates_stand_in_the_order_of_their_release_not_of_their_times():
    after = article(published(), posted("late", at=clock(12)), posted("early", at=clock(8)))
    assert list(after.updates) == ["late", "early"]
    assert [each.number for each in after.updates.values()] == [1, 2]
    assert [each.time for each in after.updates.values()] == [at(12), at(8)]


def test_an_update_without_a_name_is_known_by_its_event():
    after = article(published(), event("update.posted", text="Text.", id="wire-7"))
    assert list(after.updates) == ["wire-7"]


def test_an_update_carries_what_was_filed_with_it():
    filed = {
        "headline": "Toll",
        "authors": ["A. Writer"],
        "sources": [{"n": 8, "url": "https://example.com/8", "title": "Eight"}],
        "images": [{"url": "https://example.com/b.jpg", "alt": "A bridge"}],
        "key_event": True,
        "urgency": 3,
        "provenance": "wire",
    }
    update = article(published(), posted("u1", "*Two* words.", **filed)).updates["u1"]
    assert update.copy is not None
    assert (update.copy.source, update.copy.text) == ("*Two* words.", "Two words.")
    assert (update.headline, update.authors) == ("Toll", ("A. Writer",))
    assert (update.sources[0].n, update.images[0].alt) == (8, "A bridge")
    assert (update.key_event, update.urgency, update.provenance) == (True, 3, "wire")
    assert (update.posted, update.changed.version, update.number) == (2, 2, 1)


def test_an_update_posted_again_changes_nothing():
    once = [published(), posted("u1", "One.")]
    assert unmoved(article(*once), article(*once, posted("u1", "Two.")))


def test_a_revision_is_silent():
    # given an update
    opening = [published(at=clock(9)), posted("u1", "Teh bridge.", at=clock(10))]
    # when a typo is mended
    after = article(*opening, revised("u1", text="The bridge.", at=clock(11)))
    # then `Updated` stays, there is no note, and the version of its last change moves
    assert texts(after) == {"u1": "The bridge."}
    assert after.head.updated_at == at(10)
    assert (after.updates["u1"].notes, after.updates["u1"].time) == ((), at(10))
    assert after.updates["u1"].changed.version == 3


def test_a_revision_changes_what_it_names_and_null_clears_it():
    opening = [published(), posted("u1", headline="H", authors=["A"], key_event=True)]
    one = article(*opening, revised("u1", headline=None)).updates["u1"]
    assert (one.headline, one.authors, one.key_event) == (None, ("A",), True)
    all_cleared = revised("u1", authors=None, key_event=None, sources=None, images=None)
    two = article(*opening, all_cleared).updates["u1"]
    assert (two.headline, two.authors, two.key_event) == ("H", (), False)
    assert two.copy == one.copy


def test_a_correction_replaces_the_text_shows_its_note_and_moves_updated():
    after = article(
        published(at=clock(9)),
        posted("u1", "Cars.", at=clock(10)),
        corrected("u1", "Lorries.", "They were lorries.", at=clock(11)),
    )
    assert texts(after) == {"u1": "Lorries."}
    assert after.updates["u1"].notes == (Note("corrected", at(11), "They were lorries.", 3),)
    assert (after.updates["u1"].time, after.head.updated_at) == (at(10), at(11))


def test_a_correction_keeps_the_sources_unless_it_names_others():
    source = {"n": 1, "url": "https://example.com/1"}
    opening = [published(), posted("u1", sources=[source])]
    assert len(article(*opening, corrected("u1")).updates["u1"].sources) == 1
    assert article(*opening, corrected("u1", sources=None)).updates["u1"].sources == ()
    other = article(*opening, corrected("u1", sources=[source | {"n": 2}])).updates["u1"]
    assert [each.n for each in other.sources] == [2]


def test_every_correction_is_on_record():
    after = article(
        published(), posted("u1"), corrected("u1", note="A."), corrected("u1", note="B.")
    )
    assert [note.note for note in after.updates["u1"].notes] == ["A.", "B."]


def test_of_a_retracted_update_its_place_time_and_notes_remain_and_nothing_else():
    after = article(
        published(),
        posted("u1", at=clock(10), headline="H", authors=["A"], key_event=True, urgency=1),
        corrected("u1", note="C.", at=clock(11)),
        posted("u2"),
        retracted("u1", "R.", at=clock(12)),
    )
    mark = Mark(5, after.head.chain[:12])
    notes = (Note("corrected", at(11), "C.", 3), Note("retracted", at(12), "R.", 5))
    assert after.updates["u1"] == Update("u1", 1, 2, mark, at(10), None, notes=notes)
    assert list(after.updates) == ["u1", "u2"]
    assert (after.head.update_count, after.head.posted) == (1, 2)
    assert after.head.updated_at == at(12)


def test_a_retracted_update_stays_as_it_is_whatever_comes():
    opening = [published(), posted("u1"), retracted("u1")]
    before = article(*opening)
    late = (
        revised("u1", text="T."), corrected("u1"), retracted("u1"), pinned("u1"),
        unpinned("u1"), posted("u1"),
    )  # fmt: skip
    for act in late:
        assert unmoved(before, article(*opening, act)), act["type"]


@pytest.mark.parametrize("before", [[], [corrected("u1")], [corrected("u1"), retracted("u1")]])
def test_a_redaction_looks_like_a_retraction_and_leaves_no_other_note(before):
    acts = [published(), posted("u1"), *before]
    after = article(*acts, redacted("u1", "A court has ordered it."))
    update = after.updates["u1"]
    assert update.copy is None
    assert [(each.kind, each.note) for each in update.notes] == [
        ("retracted", "A court has ordered it.")
    ]
    assert after.head.update_count == 0


def test_acts_on_an_update_that_is_not_there_change_nothing():
    opening = published()
    for act in (revised("u9", text="T."), corrected("u9"), retracted("u9"), pinned("u9")):
        assert unmoved(article(opening), article(opening, act)), act["type"]


# The pin


def test_at_most_one_update_is_pinned():
    after = article(published(), posted("u1"), posted("u2"), pinned("u1"), pinned("u2"))
    assert after.head.pinned == "u2"


def test_moving_the_pin_changes_both_updates_so_that_readers_hear_of_both():
    after = article(published(), posted("u1"), posted("u2"), pinned("u1"), pinned("u2"))
    assert [each.changed.version for each in after.updates.values()] == [5, 5]


def test_pinning_the_pinned_and_unpinning_another_change_nothing():
    opening = [published(), posted("u1"), posted("u2"), pinned("u1")]
    before = article(*opening)
    assert unmoved(before, article(*opening, pinned("u1")))
    assert unmoved(before, article(*opening, unpinned("u2")))
    assert unmoved(before, article(*opening, unpinned("u9")))


def test_unpinning_changes_the_update_that_goes_back():
    after = article(published(), posted("u1"), pinned("u1"), unpinned("u1"))
    assert (after.head.pinned, after.updates["u1"].changed.version) == (None, 4)


def test_a_pin_does_not_move_updated():
    head = article(published(), posted("u1", at=clock(10)), pinned("u1", at=clock(11))).head
    assert head.updated_at == at(10)


def test_retracting_the_pinned_update_unpins_it():
    opening = [published(), posted("u1"), posted("u2"), pinned("u1")]
    assert article(*opening, retracted("u1")).head.pinned is None
    assert article(*opening, retracted("u2")).head.pinned == "u1"


# Times and counts


def test_updated_is_the_latest_time_not_the_last():
    after = article(
        published(at=clock(9)),
        posted("u1", at=clock(12)),
        posted("u2", at=clock(10)),
        corrected("u1", at=clock(8)),
    )
    assert after.head.updated_at == at(12)


def test_what_was_under_embargo_has_the_time_at_which_that_was_over():
    after = article(
        published(at=clock(9), embargo_until=clock(10)),
        posted("u1", at=clock(11), embargo_until=clock(13)),
        posted("u2", at=clock(12), embargo_until=clock(8)),
        writethru(at=clock(10), headline="H", embargo_until=clock(14)),
    )
    assert after.head.published_at == at(10)
    assert [update.time for update in after.updates.values()] == [at(13), at(12)]
    assert after.head.updated_at == at(14)


def test_updated_is_the_publication_when_that_is_later():
    after = article(published(at=clock(9), published_at=clock(23)), posted("u1", at=clock(12)))
    assert after.head.updated_at == at(23)


def test_the_reading_time_counts_the_body_and_live_updates_at_200_words_a_minute():
    # given 150 words of body and 50 of updates
    opening = [
        published(body="word " * 150),
        posted("u1", "word " * 30),
        posted("u2", "word " * 20),
    ]
    assert article(*opening).head.reading_minutes == 1
    # then one word more is a minute more, wherever it stands
    assert article(*opening, revised("u1", text="word " * 31)).head.reading_minutes == 2
    assert article(*opening, writethru(body="word " * 151)).head.reading_minutes == 2
    # and what is retracted isn't read
    grown = [*opening, posted("u3", "word " * 500)]
    assert article(*grown).head.reading_minutes == 4
    assert article(*grown, retracted("u3")).head.reading_minutes == 1
    assert article(published(body="")).head.reading_minutes == 1


# The version, and what the fold does not know


def test_every_event_moves_the_version_and_names_its_chain():
    entries = ledger(published(), closed(), closed(), posted("u1"))
    head = replay(SLUG, entries).head
    assert (head.version, head.chain) == (4, entries[-1].chain)


def test_an_entry_that_cannot_be_read_is_marked_and_the_rest_goes_on():
    # given a ledger whose second event can't be read any more
    entries = ledger(published(), posted("u1"), posted("u2"))
    entries[1] = replace(entries[1], event=None)
    # when it is folded
    after = replay(SLUG, entries)
    # then the others have had their effect, and the head says which did not
    assert (list(after.updates), after.head.quarantined) == (["u2"], (2,))
    assert after.head.version == 3


@pytest.mark.parametrize("act", [Posted, Corrected, Killed])
def test_a_handler_that_raises_leaves_no_trace_but_the_mark(act, monkeypatch):
    # given a handler that does all of its work and then fails
    real = HANDLERS[act]

    def failing(draft, event, act):
        real(draft, event, act)
        raise RuntimeError("a bug")

    opening = [published(), posted("u1") if act is not Posted else closed(), reopened()]
    doomed = {Posted: posted("u2"), Corrected: corrected("u1"), Killed: killed()}[act]
    before = article(*opening)
    monkeypatch.setattr(fold_module, "HANDLERS", {**HANDLERS, act: failing})
    # when its event is folded together with the others, one of them behind it
    after = article(*opening, doomed, reopened())
    # then the state is that before it
    assert after.head.quarantined == (4,)
    assert unmoved(before, replace(after, head=replace(after.head, quarantined=())))


def test_a_machine_out_of_memory_is_no_fault_of_the_event(monkeypatch):
    def starved(draft, event, act):
        raise MemoryError

    monkeypatch.setattr(fold_module, "HANDLERS", {**HANDLERS, Posted: starved})
    with pytest.raises(MemoryError):
        article(published(), posted("u1"))


def test_an_event_without_a_time_is_marked():
    entries = ledger(published(), posted("u1"))
    assert entries[1].event is not None
    entries[1] = replace(entries[1], event=replace(entries[1].event, time=None))
    assert replay(SLUG, entries).head.quarantined == (2,)


def test_a_gap_is_the_callers_error():
    entries = ledger(published(), posted("u1"), posted("u2"))
    with pytest.raises(ValueError, match="entry 3 can't follow version 1"):
        replay(SLUG, [entries[0], entries[2]])


def test_the_fold_looks_up_what_its_events_name_and_what_is_pinned():
    entries = ledger(closed(), corrected("u2"), event("update.posted", text="T.", id="e-id"))
    entries.append(Entry(4, "f" * 40, None))
    assert named(entries, Head(SLUG, pinned="u7")) == {"u2", "u7", "e-id"}


def test_the_fold_returns_the_updates_that_changed_and_no_others():
    before = article(published(), posted("u1"), posted("u2"))
    entry = entry_after(before, corrected("u2"))
    folded = fold(before.head, before.body, before.updates, [entry])
    assert list(folded.changed) == ["u2"]
    assert folded.body is before.body


def test_an_act_builds_on_those_before_it_in_the_same_fold():
    before = article(published(), posted("u1"))
    first = entry_after(before, corrected("u1", note="A."))
    second = replace(entry_after(before, corrected("u1", note="B.")), seq=first.seq + 1)
    folded = fold(before.head, before.body, before.updates, [first, second])
    assert [note.note for note in folded.changed["u1"].notes] == ["A.", "B."]


def test_every_act_of_the_contract_has_a_handler():
    assert set(HANDLERS) == set(ACTS.values())
