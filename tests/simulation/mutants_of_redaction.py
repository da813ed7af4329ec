"""Redactions with one bug each. The first five were real, until they were found here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.simulation.article import MASK, Entry, Event, Position
from tests.simulation.cast import Cast
from tests.simulation.keys import Hold, Keys, Wakeup
from tests.simulation.model import Lane
from tests.simulation.redacting import Destroyer, Masks, Note
from tests.simulation.steps import Steps


class AheadUnchecked(Lane):
    """Who was overtaken still writes bytes ahead, and may die before it takes them back."""

    def _at_base(self, keys: Keys, base: Position) -> bool:
        return True


class MasksByLength(Lane):
    """A ledger that is as long as the one that was read is taken to be the same."""

    def goes_on(self, ledger: Sequence[Entry], end: Position) -> bool:
        return True

    def read_whole(self, event: Event, masks: Masks) -> bool:
        return masks.end[0] == self.articles[event.slug].seq


class RemovesCurrent(Destroyer):
    """Which form is current is asked first, and the others are removed: two calls."""

    def forget_forms(self, slug: str, update: str) -> Steps[bool]:
        keys = self.lane.articles[slug]
        current = keys.pointers.get(update)
        forms = [form for form in self.lane.forms(slug, update) if form != current]
        yield "finds forms", *forms
        for form in forms:
            keys.parts.pop(form, None)
        self.lane.evidence.touched = slug
        yield "removes forms", len(forms)
        return bool(forms)


class LooksOnce(Destroyer):
    """What was done is taken to be done, whichever engine is asked next."""

    def again(self, note: Note) -> Steps[bool]:
        yield ("looks no more",)
        return True


class NotesAlike(Lane):
    """What is to be done of updates that were held has one note for all of an article's."""

    def number(self, keys: Keys) -> int:
        return 0


class MasksUnread(Lane):
    """The ledger is masked as it was read, whatever came meanwhile."""

    def read_whole(self, event: Event, masks: Masks) -> bool:
        return True


class MasksFingerprint(Lane):
    """The masked event is fingerprinted anew, and its chain is what it was."""

    def mask(self, entry: Entry) -> Entry:
        return entry._replace(fingerprint=entry.event.fingerprint)


class LeavesHeld(Lane):
    """What is held of the update is not thought of."""

    def _about(self, keys: Keys, update: str) -> list[Hold]:
        return []


class NotesNothing(Lane):
    """The ledger is masked, and nobody is told to see to the rest."""

    def destroy(self, event: Event, masks: Masks, seq: int = 0) -> None:
        super().destroy(event, masks, seq)
        self.redactions.clear()


class DestroysTooSoon(Destroyer):
    """Nobody waits until a renderer has come to the redaction."""

    def rid(self, version: int, seq: int) -> bool:
        return True


class StrikesFirst(Destroyer):
    """The note goes before the work is done."""

    def carry_out(self, note: Note) -> Steps[None]:
        self.lane.strike(note)
        yield "strikes", *note
        if (yield from self.remove_all(note)):
            yield from self.rewrite()


class FileFirst(Destroyer):
    """The file is written anew before the text is gone from where it is written from."""

    def carry_out(self, note: Note) -> Steps[None]:
        if (yield from self.rewrite()) and (yield from self.remove_all(note)):
            self.lane.strike(note)
            yield "strikes", *note


class ShedsWhatItRead(Destroyer):
    """The stream is put back as it was read, so what was added meanwhile is gone."""

    def write(self, entries: Sequence[Wakeup], masks: Mapping[int, str]) -> None:
        self.lane.events = [
            each._replace(text=MASK) if each.id in masks else each for each in entries
        ]


REDACTED = ("redactions",)

MUTANTS: Mapping[str, Cast] = {
    "bytes ahead unchecked": Cast(lane=AheadUnchecked, shows=REDACTED),
    "masks by length": Cast(lane=MasksByLength, shows=("lossy", *REDACTED)),
    "current form removed": Cast(destroyer=RemovesCurrent, shows=REDACTED),
    "destroyed once for all engines": Cast(destroyer=LooksOnce, shows=("lossy", *REDACTED)),
    "notes alike": Cast(lane=NotesAlike, shows=("embargoes", *REDACTED)),
    "masks as read": Cast(lane=MasksUnread, shows=REDACTED),
    "masks change fingerprints": Cast(lane=MasksFingerprint, shows=REDACTED),
    "redaction leaves what is held": Cast(lane=LeavesHeld, shows=("embargoes", *REDACTED)),
    "redaction leaves no note": Cast(lane=NotesNothing, shows=REDACTED),
    "destroyed before it is rendered": Cast(destroyer=DestroysTooSoon, shows=REDACTED),
    "note struck first": Cast(destroyer=StrikesFirst, shows=REDACTED),
    "file written anew first": Cast(destroyer=FileFirst, shows=REDACTED),
    "stream shed as it was read": Cast(destroyer=ShedsWhatItRead, shows=REDACTED),
}
