"""What editing leaves for readers to see: an article's corrections and its key events, as lists.

Both are made of updates, never of what somebody remembered of them, so an update that is
retracted takes its headline and its words out of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.article.article import Head, Note, Update
from shared.article.order import displayed

#: What readers are told of an update's provenance; that a person wrote it goes without saying.
PROVENANCES: Mapping[str | None, str] = {"automated": "Automated text", "wire": "Wire copy"}
#: As many entries as a page lists above and below its copy; the newest stay.
LISTED = 10
GIST_CHARS = 90
_MARKER = re.compile(r" ?\[(0|[1-9][0-9]{0,3})\]")


@dataclass(frozen=True, slots=True)
class Correction:
    """A *note* to readers, a correction's or a retraction's, and the update that it stands at."""

    update: Update
    note: Note


def corrections(updates: Iterable[Update]) -> list[Correction]:
    """Return all notes of *updates*, the newest act first."""
    found = [Correction(update, note) for update in updates for note in update.notes]
    return sorted(found, key=lambda each: each.note.version, reverse=True)


def key_events(head: Head, updates: Iterable[Update]) -> list[Update]:
    """Return the newest `LISTED` key events among *updates*, in the article's order."""
    found = sorted((each for each in updates if each.key_event), key=lambda each: each.number)
    return displayed(head, found[-LISTED:], pinned_first=False)


def gist(update: Update) -> str:
    """Return the headline, or else how the text begins, cut between words and marked so.

    Citations of its sources are left out: where a gist stands they lead nowhere.
    """
    if update.headline or update.copy is None:
        return update.headline or ""
    first = _uncited(update, update.copy.text.partition("\n")[0]).lstrip("#").strip()
    if len(first) <= GIST_CHARS:
        return first
    cut = first[:GIST_CHARS]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:.–—") + "…"


def _uncited(update: Update, text: str) -> str:
    sources = {source.n for source in update.sources}
    return _MARKER.sub(lambda marker: "" if int(marker[1]) in sources else marker[0], text)
