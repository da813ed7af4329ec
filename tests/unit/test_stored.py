"""State as bytes and back, and what happens to bytes that say nothing."""

from __future__ import annotations

import orjson
import pytest

from shared.article.article import Article, Body, Head, Mark
from shared.article.fold import FOLD_REVISION, replay
from shared.article.stored import (
    body_ref,
    dump_body,
    dump_head,
    dump_update,
    link_of,
    load_body,
    load_entry,
    load_head,
    load_update,
    update_ref,
)
from tests.builders import (
    SLUG,
    article,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    records,
    retracted,
    writethru,
)

FULL = [
    published(
        "Bridge opens",
        "## Now\n\nIt *is* open.\n\n- a",
        timezone="Europe/London",
        locale="en-GB",
        cadence_seconds=None,
        tags=["bridges"],
        authors=["A. Writer"],
        summary="In short.",
        image={"url": "https://example.com/b.jpg", "alt": "A bridge"},
    ),
    posted(
        "u1",
        at="2026-03-01T09:00:00.123456Z",
        sources=[{"n": 8, "url": "https://example.com/8"}],
        images=[{"url": "https://example.com/b.jpg", "alt": "A bridge", "credit": "C"}],
        urgency=1,
        key_event=True,
    ),
    posted("u2"),
    corrected("u1", sources=[{"n": 1, "url": "https://example.com/1", "title": "One"}]),
    retracted("u2"),
    pinned("u1"),
    writethru(image="https://example.com/c.jpg", update_order="newest-first", note="N."),
    closed(note="Done."),
]


def through_bytes(article: Article) -> Article:
    return Article(
        load_head(dump_head(article.head)),
        load_body(dump_body(article.body)),
        {name: load_update(dump_update(each)) for name, each in article.updates.items()},
    )


@pytest.mark.parametrize("events", [FULL[:2], FULL, [published(), killed()], []])
def test_state_comes_back_as_it_went(events):
    assert through_bytes(article(*events)) == article(*events)


def test_state_that_is_the_same_is_the_same_bytes():
    folded = article(*FULL)
    assert dump_head(through_bytes(folded).head) == dump_head(folded.head)
    assert dump_update(through_bytes(folded).updates["u1"]) == dump_update(folded.updates["u1"])


def test_what_is_at_its_default_takes_no_room():
    assert orjson.loads(dump_head(Head(SLUG))) == {"slug": SLUG}


@pytest.mark.parametrize("load", [load_head, load_body, load_update])
@pytest.mark.parametrize("data", [b"", b"[]", b'{"slug": ["SECRET"], "source": ["SECRET"]}'])
def test_state_that_cannot_be_read_says_so_without_its_copy(load, data):
    with pytest.raises(ValueError, match="stored state that can't be read") as caught:
        load(data)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_ref_names_what_it_is_of_when_it_changed_in_which_history_and_by_which_fold():
    folded = article(published(), posted("u1"), writethru(body="Other."), closed())
    update = folded.updates["u1"]
    assert update_ref(update) == f"u1@2.{update.changed.chain12}.r{FOLD_REVISION}"
    assert body_ref(folded.head) == f":body@3.{folded.head.body.chain12}.r{FOLD_REVISION}"
    assert len(update.changed.chain12) == 12
    assert body_ref(Head(SLUG, body=Mark(1, "0" * 12))) == f":body@1.{'0' * 12}.r{FOLD_REVISION}"


def test_an_entry_comes_back_as_it_was_filed():
    record = next(records(published("Bridge opens", id="e-1")))
    entry = load_entry(record)
    assert (entry.seq, entry.chain) == link_of(record)[:2]
    assert entry.event is not None
    assert (entry.event.id, entry.event.envelope["data"]["headline"]) == ("e-1", "Bridge opens")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"writethru.update.posted", b"writethru.update.sung"),
        (b'"text"', b'"song"'),
        (b'"event"', b'"other"'),
        (b'"event":{', b'"event":['),
        (b'"data":{', b'"data":{"a":"\xff",'),
    ],
)
def test_an_event_that_cannot_be_read_is_marked_and_the_rest_goes_on(old, new):
    # given a ledger whose second entry is damaged behind its place
    ledger = list(records(published(), posted("u1"), posted("u2")))
    assert old in ledger[1]
    ledger[1] = ledger[1].replace(old, new)
    # when it is read and folded
    after = replay(SLUG, map(load_entry, ledger))
    # then that one is marked
    assert (after.head.quarantined, list(after.updates)) == ((2,), ["u2"])
    assert after.head.chain == link_of(ledger[2]).chain


@pytest.mark.parametrize("record", [b"", b"{}", b'{"seq":1,"chain":"x"}'])
def test_an_entry_without_its_place_in_the_history_is_no_entry(record):
    with pytest.raises(ValueError, match="must begin with seq, chain and fingerprint"):
        load_entry(record)


def test_an_empty_body_is_a_body():
    assert load_body(dump_body(Body())) == Body()
