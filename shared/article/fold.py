"""The fold: what an article is after its events. Pure, total, and the only place that says so.

Total: whatever the ledger holds, there is an article. An event that has no effect (a second
`closed`) or could have none (a post after a kill) still moves the version; one on which its
handler raises is a marked no-op, the same on every machine.

One more update costs the same however many there are: a fold looks up only the updates that
its events name (`named`) and returns only those that changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from shared.article.article import Article, Body, Entry, Head, Note, Status, Update
from shared.article.dates import parse_rfc3339
from shared.article.draft import Draft
from shared.article.failing import reason
from shared.article.markdown import copy
from shared.contract import acts
from shared.contract.events import Event

#: Raised whenever the same ledger gives other state; stored state of another revision is
#: folded again from the ledger.
FOLD_REVISION = 2


@dataclass(frozen=True, slots=True)
class Folded:
    """What a fold made: the head, the body, and the updates that differ from before.

    *failed* says, by seq, why events were marked: never in words of theirs, which may be copy.
    """

    head: Head
    body: Body
    changed: Mapping[str, Update]
    failed: Mapping[int, str] = field(default_factory=dict)


def named(entries: Iterable[Entry], head: Head) -> frozenset[str]:
    """Return the ids of the updates that folding *entries* onto *head* will look up."""
    events = [entry.event for entry in entries if entry.event is not None]
    ids = {event.update_id for event in events} | {head.pinned}
    return frozenset(update_id for update_id in ids if update_id is not None)


def fold(head: Head, body: Body, known: Mapping[str, Update], entries: Iterable[Entry]) -> Folded:
    """Apply *entries*, the ones that follow version *head.version*, in order.

    *known* must hold those of the updates `named` that exist; more does no harm.
    Raises ValueError for a gap: the caller didn't read a ledger.
    """
    draft = Draft(head, body, known)
    failed = {entry.seq: why for entry in entries if (why := _take(draft, entry))}
    return Folded(draft.head, draft.body, draft.changed, failed)


def continued(article: Article, entries: Iterable[Entry]) -> Article:
    """Return the whole of *article* after *entries*, at the price of a copy of its table."""
    return joined(article, fold(article.head, article.body, article.updates, entries))


def joined(article: Article, folded: Folded) -> Article:
    """Return the whole of *article*, onto which *folded* was folded."""
    if folded.head.status == "killed":
        return Article(folded.head)
    return Article(folded.head, folded.body, {**article.updates, **folded.changed})


def replay(slug: str, entries: Iterable[Entry]) -> Article:
    """Return the article that *entries*, its whole ledger up to some version, give."""
    return continued(Article(Head(slug)), entries)


def _take(draft: Draft, entry: Entry) -> str:
    """Take one step; return why it was dropped, nothing if it counts."""
    if entry.seq != draft.head.version + 1:
        raise ValueError(f"entry {entry.seq} can't follow version {draft.head.version}")
    draft.begin(entry.seq, entry.chain)
    try:
        _apply(draft, entry.event)
    except MemoryError:
        raise  # says something about the machine, nothing about the event
    except Exception as error:  # noqa: BLE001 -- total: what can't be folded is marked, not fatal
        draft.drop()
        return "it can't be read" if entry.event is None else reason(error)
    draft.keep()
    return ""


def _apply(draft: Draft, event: Event | None) -> None:
    if event is None:
        raise ValueError("an entry that can't be read")
    status, opens = draft.head.status, isinstance(event.act, acts.Published)
    if status != "killed" and opens == (status == "unpublished"):
        HANDLERS[type(event.act)](draft, event, event.act)


def _time(event: Event) -> datetime:
    """Return when readers are told that it happened: not before its embargo was over."""
    if event.time is None:
        raise ValueError("an event without a time")
    return max(event.time, event.embargo_until or event.time)


_FACTS = (
    "timezone", "locale", "cadence_seconds", "section", "tags", "authors", "summary", "image",
    "canonical_url", "update_order",
)  # fmt: skip
#: What a fact is when null is sent for it: as if it had never been set, but for the cadence,
#: whose null is an answer of its own.
_CLEARED = {name: getattr(Head(""), name) for name in _FACTS} | {"cadence_seconds": None}
#: What changes lines all over the page.
_arranging = attrgetter("timezone", "locale", "update_order")


def _facts(act: acts.Published | acts.Writethru) -> dict[str, Any]:
    sent = {name: getattr(act, name) for name in _FACTS if name in act.model_fields_set}
    return {name: _CLEARED[name] if value is None else value for name, value in sent.items()}


def _published(draft: Draft, event: Event, act: acts.Published) -> None:
    opened = _time(event)
    draft.change(
        status="live",
        headline=act.headline,
        opened_at=opened,
        published_at=parse_rfc3339(act.published_at) if act.published_at else opened,
        **_facts(act),
    )
    draft.set_body(act.body)


def _writethru(draft: Draft, event: Event, act: acts.Writethru) -> None:
    facts = _facts(act)
    if "headline" in act.model_fields_set:
        facts["headline"] = act.headline
    if "published_at" in act.model_fields_set:
        given = parse_rfc3339(act.published_at) if act.published_at else None
        facts["published_at"] = given or draft.head.opened_at
    arranged = _arranging(draft.head)
    draft.change(**facts)
    if _arranging(draft.head) != arranged:
        draft.change(arranged=draft.head.version)
    if "body" in act.model_fields_set:
        draft.set_body(act.body)
    draft.acted(_time(event))
    if act.note is not None:
        _note(draft, event, act.note)


def _note(draft: Draft, event: Event, note: str | None) -> None:
    kind = event.type.rpartition(".")[2]
    said = None if note is None else Note(kind, _time(event), note)
    draft.change(note=said)


def _closed(draft: Draft, event: Event, act: acts.Closed) -> None:
    _turn(draft, event, "live", "closed", act.note)


def _reopened(draft: Draft, event: Event, act: acts.Reopened) -> None:
    _turn(draft, event, "closed", "live", act.note)


def _turn(draft: Draft, event: Event, old: Status, new: Status, note: str | None) -> None:
    """Turn the status; the note on the status before goes, for it isn't true any more."""
    if draft.head.status == old:
        before = draft.head.note
        closed_at = _time(event) if new == "closed" else None
        draft.change(status=new, closed_at=closed_at)
        if note is not None or (before is not None and before.kind in ("closed", "reopened")):
            _note(draft, event, note)


def _killed(draft: Draft, event: Event, act: acts.Killed) -> None:
    """Leave nothing but that, when and why: no copy may outlive a kill, not even in state."""
    head = draft.head
    draft.begin_anew(
        status="killed",
        timezone=head.timezone,
        locale=head.locale,
        note=Note("killed", _time(event), act.note),
        quarantined=head.quarantined,
    )


def _posted(draft: Draft, event: Event, act: acts.Posted) -> None:
    update_id = event.update_id
    if draft.head.status == "closed" or update_id is None or draft.find(update_id):
        return
    draft.change(posted=draft.head.posted + 1)
    update = Update(
        update_id=update_id,
        number=draft.head.posted,
        posted=draft.head.version,
        changed=draft.mark,
        time=_time(event),
        copy=copy(act.text),
        headline=act.headline,
        authors=act.authors or (),
        sources=act.sources or (),
        images=act.images or (),
        key_event=bool(act.key_event),
        urgency=act.urgency,
        provenance=act.provenance,
    )
    draft.put(update)
    draft.acted(update.time)


#: What a revision or correction sets a fact to when null is sent for it.
_EMPTY: Mapping[str, Any] = {"authors": (), "sources": (), "images": (), "key_event": False}


def _edited(act: acts.Revised | acts.Corrected) -> dict[str, Any]:
    sent = {name: getattr(act, name) for name in act.model_fields_set - {"update_id", "note"}}
    facts: dict[str, Any] = {
        name: _EMPTY.get(name) if value is None else value for name, value in sent.items()
    }
    if "text" in facts:
        facts["copy"] = copy(facts.pop("text"))
    return facts


def _revised(draft: Draft, _: Event, act: acts.Revised) -> None:
    if update := draft.live(act.update_id):
        draft.amend(update, **_edited(act))


def _corrected(draft: Draft, event: Event, act: acts.Corrected) -> None:
    if update := draft.live(act.update_id):
        note = Note("corrected", _time(event), act.note, draft.head.version)
        draft.amend(update, **_edited(act), notes=(*update.notes, note))
        draft.acted(note.time)


def _retracted(draft: Draft, event: Event, act: acts.Retracted) -> None:
    if update := draft.live(act.update_id):
        note = Note("retracted", _time(event), act.note, draft.head.version)
        _withdraw(draft, update, (*update.notes, note))


def _redacted(draft: Draft, event: Event, act: acts.Redacted) -> None:
    """Leave no note but this one, for any other may quote the text."""
    if update := draft.find(act.update_id):
        _withdraw(draft, update, (Note("retracted", _time(event), act.note, draft.head.version),))


def _withdraw(draft: Draft, update: Update, notes: tuple[Note, ...]) -> None:
    """Leave the update's place, time and *notes*; everything else was its copy."""
    draft.put(
        Update(
            update.update_id, update.number, update.posted, draft.mark, update.time,
            copy=None, notes=notes,
        )
    )  # fmt: skip
    if draft.head.pinned == update.update_id:
        draft.change(pinned=None)
    draft.acted(notes[-1].time)


def _pinned(draft: Draft, _: Event, act: acts.Pinned) -> None:
    """Move the update up, and the one that stood there back: both have changed."""
    update = draft.live(act.update_id)
    if update is None or draft.head.pinned == act.update_id:
        return
    if before := draft.find(draft.head.pinned):
        draft.amend(before)
    draft.amend(update)
    draft.change(pinned=act.update_id)


def _unpinned(draft: Draft, _: Event, act: acts.Unpinned) -> None:
    update = draft.live(act.update_id)
    if update is not None and draft.head.pinned == act.update_id:
        draft.amend(update)
        draft.change(pinned=None)


#: What each act does: the table of contents of this module.
HANDLERS: Mapping[type, Callable[[Draft, Event, Any], None]] = {
    acts.Published: _published,
    acts.Writethru: _writethru,
    acts.Closed: _closed,
    acts.Reopened: _reopened,
    acts.Killed: _killed,
    acts.Posted: _posted,
    acts.Revised: _revised,
    acts.Corrected: _corrected,
    acts.Retracted: _retracted,
    acts.Redacted: _redacted,
    acts.Pinned: _pinned,
    acts.Unpinned: _unpinned,
}
