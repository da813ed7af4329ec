"""The fold: what an article is after its events. Pure, total, and the only place that says so.

Total: whatever the ledger holds, there is an article. An event that has no effect (a second
`closed`) or could have none (a post after a kill) still moves the version; one on which its
handler raises is a marked no-op, the same on every machine.

One more update costs the same however many there are: a fold looks up only the updates that
its events name (`named`) and returns only those that changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.article.article import Article, Body, Entry, Head, Mark, Note, Update
from shared.article.dates import parse_rfc3339
from shared.article.markdown import blocks, copy, words
from shared.contract import acts
from shared.contract.canonical import short
from shared.contract.events import Event

#: Raised whenever the same ledger gives other state; stored state of another revision is
#: folded again from the ledger.
FOLD_REVISION = 1


@dataclass(frozen=True, slots=True)
class Folded:
    """What a fold made: the head, the body, and the updates that differ from before."""

    head: Head
    body: Body
    changed: Mapping[str, Update]


def named(entries: Iterable[Entry], head: Head) -> frozenset[str]:
    """Return the ids of the updates that folding *entries* onto *head* will look up."""
    events = [entry.event for entry in entries if entry.event is not None]
    ids = {event.update_id for event in events} | {head.pinned}
    return frozenset(update_id for update_id in ids if update_id is not None)


def fold(head: Head, body: Body, known: Mapping[str, Update], entries: Iterable[Entry]) -> Folded:
    """Apply *entries* in order.

    *known* must hold those of the updates `named` that exist; more does no harm.
    """
    draft = _Draft(head, body, known)
    for entry in entries:
        draft.take(entry)
    return Folded(draft.head, draft.body, draft.changed)


def continued(article: Article, entries: Iterable[Entry]) -> Article:
    """Return the whole of *article* after *entries*."""
    folded = fold(article.head, article.body, article.updates, entries)
    if folded.head.status == "killed":
        return Article(folded.head)
    return Article(folded.head, folded.body, {**article.updates, **folded.changed})


def replay(slug: str, entries: Iterable[Entry]) -> Article:
    """Return the article that *entries*, its whole ledger up to some version, give."""
    return continued(Article(Head(slug)), entries)


class _Draft:
    """An article in the making; lives inside one call of `fold`."""

    def __init__(self, head: Head, body: Body, known: Mapping[str, Update]) -> None:
        self.head, self.body, self.known = head, body, known
        self.changed: dict[str, Update] = {}
        self.staged: dict[str, Update] = {}

    def take(self, entry: Entry) -> None:
        place: dict[str, Any] = {"version": entry.seq, "chain": entry.chain}
        before = self.head, self.body, self.known, self.changed
        self.head, self.staged = replace(self.head, **place), {}
        try:
            self._apply(entry.event)
            self.changed.update(self.staged)
        except Exception:  # noqa: BLE001 -- total: what can't be folded is marked, not fatal
            head, self.body, self.known, self.changed = before
            marked = (*head.quarantined, entry.seq)
            self.head = replace(head, **place, quarantined=marked)

    def _apply(self, event: Event | None) -> None:
        if event is None:
            raise ValueError("an entry that can't be read")
        opens = isinstance(event.act, acts.Published)
        if opens == (self.head.status == "unpublished") and self.head.status != "killed":
            HANDLERS[type(event.act)](self, event, event.act)

    @property
    def mark(self) -> Mark:
        return Mark(self.head.version, short(self.head.chain))

    def find(self, update_id: str | None) -> Update | None:
        if update_id is None:
            return None
        layers = (self.staged, self.changed, self.known)
        return next((layer[update_id] for layer in layers if update_id in layer), None)

    def live(self, update_id: str) -> Update | None:
        update = self.find(update_id)
        return None if update is None or update.retracted else update

    def amend(self, update: Update, **facts: Any) -> None:
        """Put *update* in its new form, and keep the head's counts true."""
        after = replace(update, changed=self.mark, **facts)
        self.staged[update.update_id] = after
        more = _words(after) - _words(update)
        self.head = replace(self.head, update_words=self.head.update_words + more)

    def acted(self, time: datetime) -> None:
        """Let `Updated` move to *time*, never back."""
        latest = max(self.head.acted_at or time, time)
        self.head = replace(self.head, acted_at=latest)

    def set_body(self, source: str) -> None:
        parts = blocks(source)
        self.body = Body(source, parts, words(parts))
        self.head = replace(self.head, body_words=self.body.words, body=self.mark)


def _words(update: Update) -> int:
    return update.copy.words if update.copy else 0


def _time(event: Event) -> datetime:
    if event.time is None:
        raise ValueError("an event without a time")
    return event.time


#: What an article has before it is told otherwise, and again when a writethru sends null.
#: The cadence's null is an answer of its own: none.
DEFAULTS: Mapping[str, Any] = {
    "timezone": "UTC",
    "locale": "en-US",
    "update_order": "oldest-first",
    "tags": (),
    "authors": (),
}
_FACTS = (
    "timezone", "locale", "cadence_seconds", "section", "tags", "authors", "summary", "image",
    "canonical_url", "update_order",
)  # fmt: skip
_ARRANGING = ("timezone", "locale", "update_order")


def _facts(act: acts.Published | acts.Writethru) -> dict[str, Any]:
    sent = {name: getattr(act, name) for name in _FACTS if name in act.model_fields_set}
    return {name: DEFAULTS.get(name) if value is None else value for name, value in sent.items()}


def _published(draft: _Draft, event: Event, act: acts.Published) -> None:
    opened = _time(event)
    draft.head = replace(
        draft.head,
        status="live",
        headline=act.headline,
        opened_at=opened,
        published_at=parse_rfc3339(act.published_at) if act.published_at else opened,
        **_facts(act),
    )
    draft.set_body(act.body)


def _writethru(draft: _Draft, event: Event, act: acts.Writethru) -> None:
    facts = _facts(act)
    if "headline" in act.model_fields_set:
        facts["headline"] = act.headline
    if "published_at" in act.model_fields_set:
        given = parse_rfc3339(act.published_at) if act.published_at else None
        facts["published_at"] = given or draft.head.opened_at
    before = draft.head
    draft.head = replace(draft.head, **facts)
    if any(getattr(before, name) != getattr(draft.head, name) for name in _ARRANGING):
        draft.head = replace(draft.head, arranged=draft.head.version)
    if "body" in act.model_fields_set:
        draft.set_body(act.body)
    draft.acted(_time(event))
    _article_note(draft, event, act.note)


def _article_note(draft: _Draft, event: Event, note: str | None) -> None:
    if note is not None:
        kind = event.type.rpartition(".")[2]
        draft.head = replace(draft.head, note=Note(kind, _time(event), note))


def _closed(draft: _Draft, event: Event, act: acts.Closed) -> None:
    if draft.head.status == "live":
        draft.head = replace(draft.head, status="closed")
        _article_note(draft, event, act.note)


def _reopened(draft: _Draft, event: Event, act: acts.Reopened) -> None:
    if draft.head.status == "closed":
        draft.head = replace(draft.head, status="live")
        _article_note(draft, event, act.note)


def _killed(draft: _Draft, event: Event, act: acts.Killed) -> None:
    """Leave nothing but that, when and why: no copy may outlive a kill, not even in state."""
    head = draft.head
    draft.head = Head(
        head.slug, head.version, head.chain, "killed",
        timezone=head.timezone, locale=head.locale,
        note=Note("killed", _time(event), act.note), quarantined=head.quarantined,
    )  # fmt: skip
    draft.body, draft.known, draft.changed = Body(), {}, {}


def _posted(draft: _Draft, event: Event, act: acts.Posted) -> None:
    update_id = event.update_id
    if draft.head.status == "closed" or update_id is None or draft.find(update_id):
        return
    number, version = draft.head.posted + 1, draft.head.version
    text = copy(act.text)
    update = Update(
        update_id=update_id,
        number=number,
        posted=version,
        changed=draft.mark,
        time=_time(event),
        copy=text,
        headline=act.headline,
        authors=act.authors or (),
        sources=act.sources or (),
        images=act.images or (),
        key_event=act.key_event,
        urgency=act.urgency,
        provenance=act.provenance,
    )
    draft.staged[update_id] = update
    draft.head = replace(
        draft.head,
        posted=number,
        update_count=draft.head.update_count + 1,
        update_words=draft.head.update_words + text.words,
    )
    draft.acted(update.time)


def _revised(draft: _Draft, _: Event, act: acts.Revised) -> None:
    if update := draft.live(act.update_id):
        sent = act.model_fields_set - {"update_id"}
        facts = {name: getattr(act, name) for name in sent}
        for name in {"authors", "sources", "images"} & sent:
            facts[name] = facts[name] or ()
        if "text" in sent:
            facts["copy"] = copy(facts.pop("text"))
        draft.amend(update, **facts)


def _corrected(draft: _Draft, event: Event, act: acts.Corrected) -> None:
    if update := draft.live(act.update_id):
        note = Note("corrected", _time(event), act.note)
        facts = {} if act.sources is None else {"sources": act.sources}
        draft.amend(update, copy=copy(act.text), notes=(*update.notes, note), **facts)
        draft.acted(note.time)


def _retracted(draft: _Draft, event: Event, act: acts.Retracted) -> None:
    """Leave the update's place, time and notes; everything else was its copy."""
    if update := draft.live(act.update_id):
        note = Note("retracted", _time(event), act.note)
        draft.amend(
            update, copy=None, headline=None, authors=(), sources=(), images=(),
            key_event=False, urgency=None, provenance=None, notes=(*update.notes, note),
        )  # fmt: skip
        draft.head = replace(draft.head, update_count=draft.head.update_count - 1)
        if draft.head.pinned == update.update_id:
            draft.head = replace(draft.head, pinned=None)
        draft.acted(note.time)


def _pinned(draft: _Draft, _: Event, act: acts.Pinned) -> None:
    """Move the update up, and the one that stood there back: both have changed."""
    update = draft.live(act.update_id)
    if update is None or draft.head.pinned == act.update_id:
        return
    if before := draft.find(draft.head.pinned):
        draft.amend(before)
    draft.amend(update)
    draft.head = replace(draft.head, pinned=act.update_id)


def _unpinned(draft: _Draft, _: Event, act: acts.Unpinned) -> None:
    update = draft.live(act.update_id)
    if update is not None and draft.head.pinned == act.update_id:
        draft.amend(update)
        draft.head = replace(draft.head, pinned=None)


#: What each act does: the table of contents of this module.
HANDLERS: Mapping[type, Callable[[_Draft, Event, Any], None]] = {
    acts.Published: _published,
    acts.Writethru: _writethru,
    acts.Closed: _closed,
    acts.Reopened: _reopened,
    acts.Killed: _killed,
    acts.Posted: _posted,
    acts.Revised: _revised,
    acts.Corrected: _corrected,
    acts.Retracted: _retracted,
    acts.Redacted: _retracted,
    acts.Pinned: _pinned,
    acts.Unpinned: _unpinned,
}
