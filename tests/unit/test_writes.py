"""What a fold writes: as much as has changed, whatever the batches were and whoever died."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.render.core.wakeups import batch
from services.render.core.writes import (
    InconsistentError,
    Refs,
    Stored,
    Writes,
    continuing,
    plan,
    portions,
    remember,
    replacing,
)
from shared.article.article import Body, Entry, Head, Mark
from shared.article.fold import fold, named, replay
from shared.article.stored import load_update
from tests.builders import (
    SLUG,
    corrected,
    killed,
    ledger,
    pinned,
    posted,
    published,
    retracted,
    unpinned,
    writethru,
)


@dataclass
class Shelf:
    """What `updates:<slug>` and `pages:<slug>` hold, and how a commit changes them."""

    head: Head = field(default_factory=lambda: Head(SLUG))
    body: str | None = None
    current: dict[str, str] = field(default_factory=dict)
    bytes: dict[str, bytes] = field(default_factory=dict)
    pages: dict[int, Refs] = field(default_factory=dict)

    def fold(self, entries: Sequence[Entry]) -> Writes:
        known = {
            name: load_update(self.bytes[self.current[name]])
            for name in named(entries, self.head)
            if name in self.current
        }
        stored = Stored(self.head, self.body, self.pages)
        return continuing(stored, fold(self.head, Body(), known, entries), self.current, entries)

    def commit(self, writes: Writes) -> None:
        if writes.replace or writes.head.status == "killed":
            self.pages, self.current = {}, {}
        if writes.head.status == "killed":
            self.bytes, self.body = {}, None
        plans = orjson.loads(plan(writes, "render", ()))
        self.bytes |= writes.ahead
        self.current |= {name: ref for name, ref, *_ in plans["updates"]}
        self.pages |= writes.pages
        self.body = plans.get("body", self.body)
        for name in plans["superseded"]:
            self.bytes.pop(name, None)
        self.head = writes.head


def shelf_after(entries: Sequence[Entry]) -> Shelf:
    shelf = Shelf()
    shelf.commit(shelf.fold(entries))
    return shelf


def fields(writes: Writes) -> list[str]:
    return [ref.partition("@")[0] for ref in writes.ahead]


LONG = ledger(published(), *[posted(f"u{number}") for number in range(1, 121)])
STORY = ledger(
    published(body="One."),
    posted("a", "First."),
    posted("b", "Second."),
    corrected("a", "First, mended."),
    pinned("a"),
    writethru(body="Two."),
    pinned("b"),
    corrected("a", "First, mended twice."),
    retracted("b"),
    unpinned("a"),
    writethru(headline="Three"),
    retracted("a"),
    posted("c", "Third."),
)


# Sparing


def test_one_more_update_writes_its_own_bytes_and_the_last_page_only():
    # given an article of 120 updates
    shelf = shelf_after(LONG[:-1])
    # when one more is folded
    writes = shelf.fold(LONG[-1:])
    # then nothing else is written, and nothing goes
    assert fields(writes) == ["u120"]
    assert {page: len(refs) for page, refs in writes.pages.items()} == {3: 20}
    assert writes.superseded == ()
    assert writes.body is None


def test_a_correction_rewrites_the_page_that_holds_its_update_and_no_other():
    # given an article of 120 updates
    shelf = shelf_after(LONG)
    # when the third is corrected
    writes = shelf.fold(ledger(*envelopes(LONG), corrected("u3"))[-1:])
    # then page 1 is written with the new ref in its place, and the old form goes
    assert list(writes.pages) == [1]
    assert writes.pages[1][2] == next(iter(writes.ahead))
    assert writes.superseded == (shelf.current["u3"],)


def test_a_new_body_is_written_and_the_old_one_goes():
    # given an article
    shelf = shelf_after(STORY[:1])
    # when a writethru replaces the copy
    writes = shelf.fold(ledger(published(body="One."), writethru(body="Two."))[-1:])
    # then the ref of the body is another, and its bytes come along
    assert writes.superseded == (shelf.body,)
    assert list(writes.ahead) == [writes.body]


def test_a_kill_writes_no_bytes_even_of_updates_in_the_same_batch():
    # given a batch in which an update is posted before the kill
    entries = ledger(published(), posted("a", "canary"), killed())
    # when it is folded
    writes = Shelf().fold(entries)
    # then nothing of it would reach the engine
    assert writes.ahead == {}
    assert writes.updates == ()
    assert b"canary" not in plan(writes, "render", ())


def test_the_kinds_are_the_event_types_each_once():
    # given a batch of two posts and a correction
    entries = ledger(published(), posted("a"), posted("b"), corrected("a"))
    # when it is folded
    writes = Shelf().fold(entries)
    # then the outbox is told each type once, in order
    assert writes.kinds == (
        "writethru.article.published",
        "writethru.update.posted",
        "writethru.update.corrected",
    )


def envelopes(entries: Sequence[Entry]) -> list[dict[str, object]]:
    return [dict(entry.event.envelope) for entry in entries if entry.event]


# Whatever the batches were


cuts = st.lists(st.integers(0, len(STORY)), max_size=6).map(sorted)


def batches(places: Sequence[int]) -> list[list[Entry]]:
    edges = [0, *places, len(STORY)]
    return [STORY[start:end] for start, end in itertools.pairwise(edges) if start < end]


@given(cuts)
def test_the_stored_article_does_not_depend_on_how_its_events_were_batched(places):
    # given the same events in any batches
    shelf = Shelf()
    # when each batch is folded onto what the one before stored
    for entries in batches(places):
        shelf.commit(shelf.fold(entries))
    # then what is stored is what a fold from scratch would store
    assert_whole(shelf)


@given(cuts, st.data())
def test_bytes_of_a_renderer_that_died_before_its_commit_do_not_stay(places, data):
    # given renderers that take fewer events at once, write ahead, and die
    shelf = Shelf()
    for entries in batches(places):
        fewer = data.draw(st.integers(0, len(entries)))
        if fewer:
            shelf.bytes |= shelf.fold(entries[:fewer]).ahead
        # when another one takes the whole batch
        shelf.commit(shelf.fold(entries))
    # then none of their bytes are left
    assert_whole(shelf)


def assert_whole(shelf: Shelf) -> None:
    whole = replacing(replay(SLUG, STORY), (), ())
    assert shelf.bytes == whole.ahead
    assert shelf.pages == whole.pages
    assert shelf.body == whole.body
    assert shelf.head == whole.head


def test_a_replacement_removes_every_field_that_the_article_does_not_need():
    # given fields of another history among the right ones
    article = replay(SLUG, STORY)
    wanted = replacing(article, (), ())
    # when the article is replaced
    writes = replacing(article, ["x", "x@9.000000000000.r1", "a", *wanted.ahead], ())
    # then those and only those go
    assert writes.superseded == ("x", "x@9.000000000000.r1")


# What doesn't fit


def test_a_page_that_lacks_an_update_is_not_written_on():
    # given a page that misses its last ref
    shelf = shelf_after(LONG[:-1])
    shelf.pages[3] = shelf.pages[3][:-1]
    # when one more update would follow
    # then that is no state to build on
    with pytest.raises(InconsistentError):
        shelf.fold(LONG[-1:])


def test_a_page_with_another_update_in_the_place_is_not_overwritten():
    # given a page on which two refs changed places
    shelf = shelf_after(LONG)
    first, second, *rest = shelf.pages[1]
    shelf.pages[1] = (second, first, *rest)
    # when the first update is corrected
    # then that is no state to build on
    with pytest.raises(InconsistentError):
        shelf.fold(ledger(*envelopes(LONG), corrected("u1"))[-1:])


# Small parts


def test_a_warm_article_keeps_the_pages_that_were_touched_last():
    # given a warm article with pages 1 to 3 at hand
    before = Stored(Head(SLUG), None, {1: ("a",), 2: ("b",), 3: ("c",)})
    # when a commit touches page 1, and two may be kept
    after = remember(before, Writes(Head(SLUG), pages={1: ("d",)}), 2)
    # then page 1 is among them, as it is now
    assert after.pages == {3: ("c",), 1: ("d",)}


def test_bytes_are_cut_into_portions_that_lose_nothing():
    # given more bytes than one command should carry
    ahead = {f"u{number}@1": b"x" * 100_000 for number in range(7)}
    # when they are cut
    cut = list(portions(ahead))
    # then no portion is much larger than it may be, and together they are all
    assert [len(portion) // 2 for portion in cut] == [3, 3, 1]
    assert [name for portion in cut for name in portion[::2]] == list(ahead)


def test_an_article_that_was_never_published_stands_nowhere_in_latest_news():
    # given a head without a time
    # when it is planned
    facts = orjson.loads(plan(Writes(Head(SLUG)), "render", [("1-0", 1)]))
    # then there is no score, rather than a score of nothing
    assert "updated" not in facts


def test_wakeups_are_grouped_by_article_and_strays_told_apart():
    # given wake-ups of two articles among entries that are none
    entries = [
        ("1-0", {b"article": b"bridge", b"seq": b"1"}),
        ("2-0", {b"article": b"No Slug", b"seq": b"1"}),
        ("3-0", {b"article": b"port", b"seq": b"7"}),
        ("4-0", {b"article": b"bridge", b"seq": b"many"}),
        ("5-0", {b"article": b"bridge", b"seq": b"2"}),
        ("6-0", {}),
    ]
    # when they are grouped
    found = batch(entries)
    # then each article has its own, and the rest has no claim
    assert found.articles == {"bridge": [("1-0", 1), ("5-0", 2)], "port": [("3-0", 7)]}
    assert found.strays == ("2-0", "4-0", "6-0")


def test_forms_passed_over_are_named_only_where_they_may_have_been_written():
    # given an update that is corrected in a later batch
    shelf = shelf_after(STORY[:3])
    # when only the correction is folded
    writes = shelf.fold(STORY[3:4])
    # then its old form goes, and nothing else is looked for
    assert writes.superseded == (shelf.current["a"],)
    assert writes.updates[0].changed == replace(Mark(4), chain12=STORY[3].chain[:12])
