"""The fold's promises, for histories that nobody thought of.

A history is any list of valid events, legal or not: what ingest would refuse must be harmless
here. Every piece of copy carries a word of its own, so that it can be looked for afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.article.article import Article, Body, Entry, Head
from shared.article.fold import continued, fold, named, replay
from shared.article.formats import html, json, open_page, text
from shared.article.formats.open_page import Beside, Taken
from shared.article.stored import (
    dump_body,
    dump_head,
    dump_update,
    load_body,
    load_head,
    load_update,
)
from tests.builders import SLUG, event, ledger

IDS = ("u0", "u1", "u2")
ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Europe/Lisbon")
LOCALES = ("en-US", "en-GB", "de-DE", "fr-FR", "ar-EG", "ja-JP", "th-TH")
CANARY = re.compile("canary[0-9]+end")

#: Markdown that is likely to do something, and any text at all.
wild = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=12)
fragments = st.sampled_from(
    ["*a*", "**", "`", "```\n", "[8]", "[a](https://example.com)", "[a]: /b\n", "> ", "- ", "# ",
     "<b>", "&amp;", "|a|\n|-|\n|b|", "\n\n", "\n", "![a](b)", "~~", "\\", "\t", "    x"]
)  # fmt: skip
markdown = st.lists(fragments | wild, max_size=4).map("".join)
times = st.datetimes().map(lambda when: when.isoformat(timespec="microseconds") + "Z")


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    optional = {
        "timezone": st.none() | st.sampled_from(ZONES),
        "locale": st.none() | st.sampled_from(LOCALES),
        "update_order": st.sampled_from([None, "oldest-first", "newest-first"]),
        "cadence_seconds": st.none() | st.integers(1, 86_400),
        "published_at": st.none() | times,
        "tags": st.none() | st.just(["{}"]),
        "summary": st.none() | st.just("{}"),
    }
    return draw(st.fixed_dictionaries({}, optional=optional))


update_facts = st.fixed_dictionaries(
    {},
    optional={
        "headline": st.none() | st.just("{}"),
        "authors": st.none() | st.just(["{}"]),
        "sources": st.none() | st.just([{"n": 1, "url": "https://example.com/", "title": "{}"}]),
        "images": st.none() | st.just([{"url": "https://example.com/", "alt": "{}"}]),
        "key_event": st.none() | st.booleans(),
    },
)
copy = markdown.map(lambda source: f"{source}\n\n{{}}")
ids = st.sampled_from(IDS)


def act(kind: str, **data: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(kind), st.fixed_dictionaries(data))


def merged(kind: str, more: st.SearchStrategy[dict[str, Any]], **data: st.SearchStrategy[Any]):
    both = st.tuples(st.fixed_dictionaries(data), more)
    return st.tuples(st.just(kind), both.map(lambda pair: pair[0] | pair[1]))


opening = merged("article.published", facts(), headline=st.just("{}"), body=copy)
posts = merged("update.posted", update_facts, update_id=ids, text=copy)
pins = act("update.pinned", update_id=ids)
corrections = act("update.corrected", update_id=ids, text=copy, note=st.just("Note {}"))
acts = st.one_of(
    *[posts, pins, corrections] * 3,
    merged("update.revised", update_facts, update_id=ids, text=copy),
    act("update.retracted", update_id=ids, note=st.just("Note {}")),
    act("update.redacted", update_id=ids, note=st.just("Note {}")),
    act("update.unpinned", update_id=ids),
    merged("article.writethru", facts(), headline=st.just("{}"), body=copy, note=st.just("N {}")),
    merged("article.writethru", facts()),
    act("article.closed", note=st.none() | st.just("Note {}")),
    act("article.reopened", note=st.none() | st.just("Note {}")),
)
kill = act("article.killed", note=st.just("Note {}"))


def filled(value: Any, words: Iterator[str]) -> Any:
    """Put a word of its own in each place that has room for one."""
    if isinstance(value, str):
        return value.replace("{}", next(words)) if "{}" in value else value
    if isinstance(value, dict):
        return {name: filled(each, words) for name, each in value.items()}
    return [filled(each, words) for each in value] if isinstance(value, list) else value


def history(acts: Sequence[tuple[str, dict[str, Any]]], times: Sequence[str]) -> list[Entry]:
    words = (f"canary{number}end" for number in range(10_000))
    return ledger(
        *(
            event(kind, **filled(data, words), id=f"e{place}", at=at)
            for place, ((kind, data), at) in enumerate(zip(acts, times, strict=True))
        )
    )


#: An article as a rule begins with an opening and goes on living; ingest sees to the first.
BEGINNINGS = [[opening, posts, posts, posts]] * 6 + [[opening], [opening, opening], [posts], []]
ENDS = [[]] * 6 + [[kill], [kill, posts, opening]]


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    first, last = draw(st.sampled_from(BEGINNINGS)), draw(st.sampled_from(ENDS))
    middle = draw(st.lists(acts, min_size=draw(st.integers(0, 20)), max_size=25))
    events = [*map(draw, first), *middle, *map(draw, last)]
    at = draw(st.lists(times, min_size=len(events), max_size=len(events)))
    return history(events, at)


def versions(entries: Sequence[Entry]) -> list[Article]:
    """Fold *entries* one by one and return what there was after each, from nothing on."""
    articles = [Article(Head(SLUG))]
    for entry in entries:
        articles.append(continued(articles[-1], [entry]))
    return articles


@dataclass
class Model:
    """What readers should see, told in the plainest way: whole, and from the front."""

    status: str = "unpublished"
    pinned: str | None = None
    shown: dict[str, str | None] = field(default_factory=dict)

    def take(self, kind: str, data: dict[str, Any]) -> None:
        if self.status == "killed" or (self.status == "unpublished") != (kind == "published"):
            return
        name = data.get("update_id", "")
        live = self.shown.get(name) is not None
        if kind in ("published", "reopened"):
            self.status = "live"
        elif kind in ("closed", "killed"):
            self.status = kind
        elif live if kind in ("corrected", "revised") else kind == "posted" and self.takes(name):
            self.shown[name] = data["text"]
        elif kind in ("retracted", "redacted") and live:
            self.shown[name] = None
            self.pinned = None if self.pinned == name else self.pinned
        elif kind == "pinned" and live:
            self.pinned = name
        elif kind == "unpinned" and self.pinned == name:
            self.pinned = None

    def takes(self, name: str) -> bool:
        return self.status == "live" and name not in self.shown


def modelled(entries: Sequence[Entry]) -> Model:
    model = Model()
    for entry in entries:
        if entry.event is not None:
            model.take(*said(entry))
    return model


def said(entry: Entry) -> tuple[str, dict[str, Any]]:
    assert entry.event is not None
    return entry.event.type.rpartition(".")[2], dict(entry.event.envelope["data"])


def canaries(value: object) -> set[str]:
    return set(CANARY.findall(str(value)))


def everything(article: Article) -> str:
    """All that is stored or shown of an article, in one string."""
    stored = [dump_head(article.head), dump_body(article.body)]
    stored += [dump_update(update) for update in article.updates.values()]
    shown = [json.dumps(json.article(article)), json.dumps(json.head(article.head))]
    pages = []
    if article.head.status == "killed":
        pages = [text.page(article), html.killed_page(article.head)]
    elif article.head.status != "unpublished":
        updates = list(article.updates.values())
        pages = [text.page(article), html.article_page(article.head, article.body, updates)]
        pages.append(html.updates_page(article.head, 1, updates))
        pages.append(html.corrections_page(article.head, updates))
        corrections = json.corrections(article.head, updates, public_url="")
        pages.append(json.dumps(corrections).decode())
        pages.append(json.dumps(open_page_of(article)).decode())
    return "\n".join([*(data.decode() for data in (*stored, *shown)), *pages])


def open_page_of(article: Article) -> dict[str, Any]:
    """All that an open page could be told of *article* at once."""
    updates = list(article.updates.values())
    taken = [Taken("retracted" if each.retracted else "added", each) for each in updates]
    return open_page.change(article.head, 0, taken, Beside(article.body, updates, updates))


@given(histories())
def test_no_history_of_valid_events_is_quarantined_or_unshowable(entries):
    article = replay(SLUG, entries)
    assert article.head.quarantined == ()
    assert article.head.version == len(entries)
    assert everything(article)


@given(histories())
def test_every_event_does_what_the_plainest_model_does(entries):
    model = Model()
    for entry, article in zip(entries, versions(entries)[1:], strict=True):
        model.take(*said(entry))
        assert article.head.status == model.status
        if model.status != "killed":
            live = {name: shown is not None for name, shown in model.shown.items()}
            folded = {name: not update.retracted for name, update in article.updates.items()}
            assert list(folded.items()) == list(live.items())
            assert article.head.pinned == model.pinned


@given(histories())
def test_readers_see_what_was_filed_last_and_nothing_that_was_taken_back(entries):
    # given a history and what the plainest model makes of it
    model = modelled(entries)
    # when it is folded and shown in every way there is
    article = replay(SLUG, entries)
    found = canaries(everything(article))
    # then of a killed article there is the note of its kill
    if model.status == "killed":
        assert (article.updates, found) == ({}, canaries(last_kill(entries)))
        return
    # and each update shows its last text, or if retracted no word of any that it ever had
    in_json = {name: canaries(json.update(each)) for name, each in article.updates.items()}
    on_page = canaries(text.page(article)) if model.shown else set()
    for update_id, shown in model.shown.items():
        if shown is None:
            assert not found & copy_of(update_id, entries)
        else:
            assert canaries(shown) <= in_json[update_id] & on_page


def last_kill(entries: Sequence[Entry]) -> str:
    notes = [data["note"] for kind, data in map(said, entries) if kind == "killed"]
    return str(notes[-1])


def copy_of(update_id: str, entries: Sequence[Entry]) -> set[str]:
    """All words that events ever gave an update, but for the notes on it."""
    events = [entry.event for entry in entries if entry.event is not None]
    data = [dict(each.envelope["data"]) for each in events if each.update_id == update_id]
    return {word for each in data for word in canaries({**each, "note": ""})}


@given(histories(), st.lists(st.integers(0, 30), max_size=6) | st.just(list(range(31))))
@example(history([], []), [])
def test_a_history_folded_in_pieces_through_storage_is_the_history_folded_at_once(entries, cuts):
    # given a place to store an article, and a history that arrives in pieces
    places = sorted({0, len(entries), *(cut for cut in cuts if cut < len(entries))})
    head, body = dump_head(Head(SLUG)), dump_body(Body())
    updates: dict[str, bytes] = {}
    # when each piece is folded onto what is stored, knowing only the updates that it names
    for start, end in pairwise(places):
        piece = entries[start:end]
        known = {
            name: load_update(updates[name])
            for name in named(piece, load_head(head))
            if name in updates
        }
        folded = fold(load_head(head), load_body(body), known, piece)
        head, body = dump_head(folded.head), dump_body(folded.body)
        updates |= {name: dump_update(update) for name, update in folded.changed.items()}
        if folded.head.status == "killed":
            updates = {}
    # then that is the article, to the byte
    whole = replay(SLUG, entries)
    assert head == dump_head(whole.head)
    assert body == dump_body(whole.body)
    assert updates == {name: dump_update(update) for name, update in whole.updates.items()}
    assert list(updates) == list(whole.updates)


@given(histories())
def test_what_is_stored_comes_back_as_it_went(entries):
    article = replay(SLUG, entries)
    assert load_head(dump_head(article.head)) == article.head
    assert load_body(dump_body(article.body)) == article.body
    for update in article.updates.values():
        assert load_update(dump_update(update)) == update


@given(histories(), st.sets(st.integers(1, 30)))
def test_entries_that_cannot_be_read_are_marked_and_the_others_have_their_effect(entries, lost):
    # given a ledger with entries that can't be read
    entries = [replace(each, event=None) if each.seq in lost else each for each in entries]
    # when it is folded
    head = replay(SLUG, entries).head
    # then the others have done what they would have done without them
    model = modelled(entries)
    assert (head.status, head.version) == (model.status, len(entries))
    assert head.update_count == (
        0 if model.status == "killed" else sum(each is not None for each in model.shown.values())
    )
    assert head.quarantined == tuple(each.seq for each in entries if each.event is None)


@given(histories())
def test_what_has_not_changed_since_a_version_is_as_readers_of_that_version_have_it(entries):
    for before, after in pairwise(versions(entries)):
        head, now = after.head, after.head.version
        if head.status == "killed" or before.head.status == "unpublished":
            continue
        for update_id, update in after.updates.items():
            if update.changed.version < now:
                assert update == before.updates[update_id]
                assert (head.pinned == update_id) == (before.head.pinned == update_id)
        if head.body.version < now:
            assert after.body == before.body
        if head.arranged < now:
            assert arrangement(head) == arrangement(before.head)


def arrangement(head: Head) -> tuple[str, ...]:
    """What every update's lines and places depend on."""
    return head.timezone, head.locale, head.update_order


@given(histories())
def test_the_counts_in_the_head_are_those_of_the_article(entries):
    article = replay(SLUG, entries)
    live = [update.copy for update in article.updates.values() if update.copy]
    assert article.head.update_count == len(live)
    assert article.head.update_words == sum(copy.words for copy in live)
    assert article.head.body_words == article.body.words
    assert [update.number for update in article.updates.values()] == list(
        range(1, article.head.posted + 1)
    )
