"""The entries of a source → events: what is new, what was edited, what was taken back.

An entry is known by its key for ever, so its events have ids that follow from it: sent again, by
whomever, they do nothing. What was *seen* only saves work, but for one thing: without it an edit
shows as a conflict of ids, which `again` answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.article.dates import rfc3339
from shared.contract.sources import Source

#: Entries of one document that are looked at.
MAX_ENTRIES = 1_000
#: Clocks differ; an entry that is further ahead than this has no time, and ingest's clock counts.
AHEAD = timedelta(minutes=5)
#: Older than this, and the date is a mistake, or the entry is history that nobody was live for.
BACK = timedelta(days=366)

EDITED = "This update was edited at its source."
WITHDRAWN = "This update was withdrawn at its source."

Envelope = dict[str, Any]
#: What became of an entry: its update stands; it was refused; it was taken back, by whomever.
Fate = Literal["filed", "refused", "gone"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of news as a source has it, its *text* in Markdown.

    *mark* is a hash of what the source itself said in text and headline: another way of reading
    it is no edit. *gone* says that the source has withdrawn it, and *note* why.
    """

    key: str
    text: str
    mark: str
    headline: str = ""
    time: datetime | None = None
    edited: datetime | None = None
    authors: tuple[str, ...] = ()
    key_event: bool | None = None
    urgency: int | None = None
    embargo: datetime | None = None
    gone: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """How an entry was when it was looked at last, and what became of it.

    *marks* are those of its text, the oldest first; *beside* is that of the rest.
    """

    fate: Fate
    marks: tuple[str, ...]
    beside: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be filed for one entry, known by *name*, and how it will have been *seen* then."""

    entry: Entry
    name: str
    events: Sequence[Envelope]
    seen: Seen


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns the entries of *source*, for the article *slug*, into events, at the time *now*."""

    slug: str
    source: Source
    now: datetime

    def steps(self, entries: Sequence[Entry], seen: Mapping[str, Seen]) -> Iterator[Step]:
        """Yield what is to be filed, the oldest first; nothing for what is as it was seen."""
        for entry in _in_order(entries):
            name = digest(entry.key)
            events, then = self._of(entry, name, seen.get(name))
            if then is not None:
                yield Step(entry, name, events, then)

    def again(self, step: Step, code: str) -> Sequence[Envelope]:
        """Return what to file where the ledger knows another history: *code* is its refusal.

        A post that conflicts was filed before with another text, so this is an edit; an edit of
        what isn't known is news.
        """
        if code == "id-conflict":
            return [self._corrected(step.entry, step.name, ())]
        return [self._posted(step.entry, step.name)] if code == "unknown-update" else []

    def _of(
        self, entry: Entry, name: str, before: Seen | None
    ) -> tuple[Sequence[Envelope], Seen | None]:
        beside = digest(entry.headline, entry.authors, entry.key_event)
        if before is None or before.fate == "refused":
            if entry.gone or not entry.text or (before and before.marks[-1] == entry.mark):
                return (), None
            return [self._posted(entry, name)], Seen("filed", (entry.mark,), beside)
        if before.fate == "gone":
            return (), None
        if entry.gone:
            return [self._retracted(entry, name)], Seen("gone", before.marks, before.beside)
        events: list[Envelope] = []
        marks = before.marks
        if before.beside != beside:
            events.append(self._revised(entry, name, beside))
        if marks[-1] != entry.mark and entry.text:
            events.append(self._corrected(entry, name, marks))
            marks = (*marks[-7:], entry.mark)
        return events, Seen("filed", marks, beside) if events else None

    def _posted(self, entry: Entry, name: str) -> Envelope:
        data = {
            "update_id": self._update_id(name),
            "text": entry.text,
            "headline": entry.headline or None,
            "authors": list(entry.authors) or None,
            "key_event": entry.key_event,
            "urgency": entry.urgency,
            "provenance": self.source.origin,
            "embargo_until": rfc3339(entry.embargo) if entry.embargo else None,
        }
        posted = self._event("posted", self._update_id(name), data)
        return posted | self._time(entry.time)

    def _corrected(self, entry: Entry, name: str, marks: Sequence[str]) -> Envelope:
        # A text that comes back is another edit than the one which made it first.
        turn = f"-{len(marks)}" if entry.mark in marks[1:] else ""
        data = {
            "update_id": self._update_id(name),
            "text": entry.text,
            "note": entry.note or EDITED,
        }
        id_ = f"{self._update_id(name)}-{entry.mark[:12]}{turn}"
        return self._event("corrected", id_, data)

    def _revised(self, entry: Entry, name: str, beside: str) -> Envelope:
        data: dict[str, Any] = {
            "update_id": self._update_id(name),
            "headline": entry.headline or None,
            "authors": list(entry.authors),
            "key_event": bool(entry.key_event),
        }
        if not entry.headline:
            del data["headline"]
        id_ = f"{self._update_id(name)}-r-{beside[:12]}-{entry.mark[:6]}"
        return self._event("revised", id_, data)

    def _retracted(self, entry: Entry, name: str) -> Envelope:
        data = {"update_id": self._update_id(name), "note": entry.note or WITHDRAWN}
        return self._event("retracted", f"{self._update_id(name)}-gone", data)

    def _event(self, verb: str, id_: str, data: Mapping[str, Any]) -> Envelope:
        return {
            "specversion": "1.0",
            "id": id_,
            "source": self.source.uri,
            "type": f"writethru.update.{verb}",
            "subject": self.slug,
            "data": {name: value for name, value in data.items() if value is not None},
        }

    def _time(self, time: datetime | None) -> dict[str, str]:
        sane = time is not None and self.now - BACK <= time <= self.now + AHEAD
        return {"time": rfc3339(time)} if time is not None and sane else {}

    def _update_id(self, name: str) -> str:
        return f"{self.source.name}-{name}"


def digest(*parts: object) -> str:
    """Return twenty characters that stand for *parts*."""
    said = "\0".join(map(repr, parts)) if len(parts) > 1 else str(parts[0])
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:20]


def once(entries: Iterable[Entry]) -> list[Entry]:
    """Return *entries*, each key once: the form that was edited last, else the first one."""
    kept: dict[str, Entry] = {}
    for entry in entries:
        other = kept.get(entry.key)
        if other is None or (entry.edited and other.edited and entry.edited > other.edited):
            kept[entry.key] = entry
    return list(kept.values())


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Return *entries* as they happened; documents begin with the newest, so where dates lack."""
    oldest_first = list(reversed(entries))
    if all(entry.time for entry in oldest_first):
        oldest_first.sort(key=lambda entry: entry.time.timestamp() if entry.time else 0.0)
    return oldest_first
