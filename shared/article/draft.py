"""An article in the making: what the acts of one fold change, step by step.

A step's changes count once the step is kept; until then they can be dropped without a trace.
The head is nobody else's until the fold is over, and so is changed in place: a copy for each fact
that an act changes took half of a fold's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from shared.article.article import Body, Head, Mark, Update
from shared.article.markdown import blocks, words
from shared.contract.canonical import short

#: What stands above the copy, but for what each update changes.
_TITLE = ("status", "headline", "summary", "authors", "cadence_seconds", "note")
_FACTS = [each.name for each in fields(Head) if each.name not in ("slug", "version", "chain")]


class Draft:
    """The head, the body, and the updates by layers: this step's, this fold's, the known."""

    def __init__(self, head: Head, body: Body, known: Mapping[str, Update]) -> None:
        self.head, self.body = replace(head), body
        self.changed: dict[str, Update] = {}
        self._known = known
        self._staged: dict[str, Update] = {}
        self._undo: dict[str, Any] = {}
        self._body_before = body

    def begin(self, seq: int, chain: str) -> None:
        """Begin the step that makes version *seq*."""
        self._undo.clear()
        self._body_before = self.body
        object.__setattr__(self.head, "version", seq)
        object.__setattr__(self.head, "chain", chain)

    def change(self, **facts: Any) -> None:
        """Change *facts* of the head."""
        head = self.head
        for name, value in facts.items():
            self._undo.setdefault(name, getattr(head, name))
            object.__setattr__(head, name, value)

    def begin_anew(self, **facts: Any) -> None:
        """Leave nothing of the head but its place and *facts*, nor anything of the body."""
        blank = Head(self.head.slug, self.head.version, self.head.chain, **facts)
        self.change(**{name: getattr(blank, name) for name in _FACTS})
        self.body = Body()

    def keep(self) -> None:
        """Let the step count. What a killed article was is forgotten."""
        if self.head.status == "killed":
            self.changed.clear()
        else:
            self.changed.update(self._staged)
            was = self._undo
            if any(name in was and was[name] != getattr(self.head, name) for name in _TITLE):
                self.change(titled=self.head.version)
        self._staged.clear()

    def drop(self) -> None:
        """Undo the step but for its number and chain, and mark it as one that had no effect."""
        self.body = self._body_before
        self.change(**self._undo)
        self.change(quarantined=(*self.head.quarantined, self.head.version))
        self._staged.clear()

    @property
    def mark(self) -> Mark:
        return Mark(self.head.version, short(self.head.chain))

    def find(self, update_id: str | None) -> Update | None:
        if update_id is None:
            return None
        layers = (self._staged, self.changed, self._known)
        return next((layer[update_id] for layer in layers if update_id in layer), None)

    def live(self, update_id: str) -> Update | None:
        update = self.find(update_id)
        return None if update is None or update.retracted else update

    def put(self, update: Update) -> None:
        """Put *update*, or its new form, in its place and keep the head's counts true."""
        before = self.find(update.update_id)
        self._staged[update.update_id] = update
        lists: dict[str, Any] = dict.fromkeys(_changed_lists(before, update), self.head.version)
        self.change(
            update_count=self.head.update_count + _count(update) - _count(before),
            update_words=self.head.update_words + _words(update) - _words(before),
            **lists,
        )

    def amend(self, update: Update, **facts: Any) -> None:
        """Put *update* with other *facts*; without any, its place on the page has changed."""
        self.put(replace(update, changed=self.mark, **facts))

    def acted(self, time: datetime) -> None:
        """Let `Updated` move to *time*, never back."""
        self.change(acted_at=max(self.head.acted_at or time, time))

    def set_body(self, source: str) -> None:
        parts = blocks(source)
        self.body = Body(source, parts, words(parts))
        self.change(body_words=self.body.words, body=self.mark)


def _changed_lists(before: Update | None, update: Update) -> Iterator[str]:
    """Name the lists of an article that *update* in the place of *before* may change."""
    if update.notes != (before.notes if before else ()):
        yield "noted"
    # With or without sources: a ledger whose text was masked must say the same.
    sources, retracted = (before.sources, before.retracted) if before else ((), update.retracted)
    if update.sources != sources or update.retracted != retracted:
        yield "sourced"
    if update.key_event or (before is not None and before.key_event):
        yield "keyed"


def _count(update: Update | None) -> int:
    return int(update is not None and not update.retracted)


def _words(update: Update | None) -> int:
    return update.copy.words if update is not None and update.copy is not None else 0
