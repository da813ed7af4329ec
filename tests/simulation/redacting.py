"""Redacted texts: how the engine masks them, and who destroys what is left of them elsewhere.

A redaction masks the ledger in one step with its own place there. The destroyer does the rest, as
`services/render/destroy.py` does it. The engine's file is a set: the texts of all commands that
it holds, until it is written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.simulation.article import MASK, Entry, Event, Position
from tests.simulation.keys import Evidence, Filed, Keys, Wakeup
from tests.simulation.steps import RESTS, Dice, Steps

Note = tuple[str, int]


class Masks(NamedTuple):
    """The ledger's entries about an update, masked, as far as it was read: to *end*."""

    end: Position = (0, "")
    entries: tuple[Entry, ...] = ()


NO_MASKS = Masks()


class Redacting:
    """What of the lane holds texts, and takes them away."""

    articles: dict[str, Keys]
    events: list[Wakeup]
    evidence: Evidence
    redactions: set[Note]
    file: set[str]
    deaf: bool

    # -- ingest ---------------------------------------------------------------------------

    def read_masks(self, event: Event, before: Masks) -> Masks:
        """LRANGE from where it was read to; from the beginning, if the ledger is another one."""
        ledger = self.articles[event.slug].ledger
        if not self.goes_on(ledger, before.end):
            before = NO_MASKS
        read = ledger[before.end[0] :]
        found = [entry.masked() for entry in read if about(entry, event.update)]
        end = (read[-1].seq, read[-1].chain) if read else before.end
        return Masks(end, (*before.entries, *found))

    def goes_on(self, ledger: Sequence[Entry], end: Position) -> bool:
        seq, chain = end
        return not seq or (seq <= len(ledger) and ledger[seq - 1].chain == chain)

    def read_whole(self, event: Event, masks: Masks) -> bool:
        """Whether the ledger ends where it was read to."""
        return masks.end[1] == self.articles[event.slug].chain

    def destroy(self, event: Event, masks: Masks, seq: int = 0) -> None:
        """Put the masks in their places, and leave a note of what is to be done."""
        keys = self.articles[event.slug]
        for entry in masks.entries:
            keys.ledger[entry.seq - 1] = self.mask(entry)
        self.redactions.add((event.slug, seq or self.number(keys)))
        self.evidence.redacted.append((event.slug, event.update))

    def number(self, keys: Keys) -> int:
        """Return what tells this note from others where no seq does."""
        keys.orders += 1
        return -keys.orders

    def mask(self, entry: Entry) -> Entry:
        return entry

    # -- render ---------------------------------------------------------------------------

    def notes(self) -> list[Note]:
        """SMEMBERS."""
        return sorted(self.redactions)

    def filed(self, slug: str) -> Filed:
        raise NotImplementedError

    def withdraw(self, slug: str, refs: Iterable[str]) -> int:
        raise NotImplementedError

    def forms(self, slug: str, update: str) -> list[str]:
        """HKEYS, as far as they are forms of *update*."""
        return [ref for ref in self.articles[slug].parts if ref.startswith(f"{update}@")]

    def read_stream(self) -> tuple[Wakeup, ...]:
        """XRANGE - +."""
        return tuple(self.events)

    def shed(self, masks: Mapping[int, str]) -> None:
        """Make the stream anew, with other texts in some entries; groups and the rest stay."""
        self.events = [
            wakeup._replace(text=masks[wakeup.id]) if wakeup.id in masks else wakeup
            for wakeup in self.events
        ]

    def rewrite_file(self) -> None:
        """BGREWRITEAOF: the file has what is in memory now."""
        self.file = set(self.texts())

    def strike(self, note: Note) -> None:
        """SREM."""
        self.redactions.discard(note)

    def texts(self) -> Iterator[str]:
        """All texts that are in memory."""
        yield from (wakeup.text for wakeup in self.events)
        for keys in self.articles.values():
            yield from stored_texts(keys)
            for part in keys.parts.values():
                yield from words(part.text)


def stored_texts(keys: Keys) -> Iterator[str]:
    """Return the texts that ingest has stored of an article."""
    yield from (entry.event.text for entry in keys.ledger)
    yield from (hold.event.text for hold in keys.holds.values())


def words(text: str | None) -> Sequence[str]:
    """Return what was filed one after the other to make the *text* of a part."""
    return text.split(", ") if text else ()


def about(entry: Entry, update: str) -> bool:
    return entry.event.update == update


class Destroyer:
    """Does what redactions have left to do, as a renderer does that has the lease for it.

    Here two do it at once: the lease saves work, and nothing depends on it.
    """

    def __init__(self, name: str, lane: Redacting, dice: Dice) -> None:
        self.name, self.lane, self.dice = name, lane, dice

    def steps(self) -> Steps[None]:
        while True:
            notes = self.lane.notes()
            yield ("finds notes", *notes) if notes else RESTS
            for note in notes:
                yield from self.carry_out(note)

    def carry_out(self, note: Note) -> Steps[None]:
        """Remove the text from everywhere; look once more before the note goes."""
        if not (yield from self.remove_all(note)):
            return
        if not (yield from self.rewrite()):
            return
        if not (yield from self.again(note)):
            return
        self.lane.strike(note)
        yield "strikes", *note

    def again(self, note: Note) -> Steps[bool]:
        """Whether an engine that has it all from replicas lacks nothing of the work."""
        left = yield from self.remove_all(note, look=True)
        return left is True

    def remove_all(self, note: Note, *, look: bool = False) -> Steps[bool]:
        """Return whether it is removed; with *look*, whether there was nothing left to remove."""
        slug, seq = note
        if seq <= 0:
            return True
        version = self.lane.filed(slug).position[0]
        yield "reads version of", slug, version
        if not self.rid(version, seq):
            return False
        masked = yield from self.read(slug)
        update = self.update(slug, seq)
        if update is None:
            return False
        done = yield from self.forget_forms(slug, update)
        shed = yield from self.shed(slug, masked)
        return not (look and (done or shed))

    def rid(self, version: int, seq: int) -> bool:
        """Whether readers are rid of it."""
        return version >= seq

    def update(self, slug: str, seq: int) -> str | None:
        """LINDEX: the update that is redacted; None if a failover has lost the redaction."""
        ledger = self.lane.articles[slug].ledger
        event = ledger[seq - 1].event if len(ledger) >= seq else None
        return event.update if event and event.act == "redacted" else None

    def read(self, slug: str) -> Steps[set[int]]:
        masked = {n for n, e in enumerate(self.lane.articles[slug].ledger, 1) if is_masked(e)}
        yield "reads masked of", slug, *sorted(masked)
        return masked

    def forget_forms(self, slug: str, update: str) -> Steps[bool]:
        """Remove what went ahead and was never made current."""
        forms = self.lane.forms(slug, update)
        yield "finds forms", *forms
        gone = self.remove_forms(slug, forms)
        yield "removes forms", gone
        return gone > 0

    def remove_forms(self, slug: str, forms: Sequence[str]) -> int:
        return self.lane.withdraw(slug, forms)

    def shed(self, slug: str, masked: set[int]) -> Steps[bool]:
        entries = self.lane.read_stream()
        yield "reads stream", len(entries)
        masks = {
            each.id: MASK
            for each in entries
            if each.slug == slug and each.seq in masked and each.text != MASK
        }
        if masks:
            self.write(entries, masks)
            yield "sheds", *masks
        return bool(masks)

    def write(self, entries: Sequence[Wakeup], masks: Mapping[int, str]) -> None:
        self.lane.shed(masks)

    def rewrite(self) -> Steps[bool]:
        """Write the file anew, once replicas have heard all; it may fail."""
        if self.lane.deaf or self.dice.mishap(0.1):
            yield ("fails to write file anew",)
            return False
        self.lane.rewrite_file()
        yield ("begins to write file anew",)
        yield ("waits for file",)
        yield ("has file anew",)
        return True


def is_masked(entry: Entry) -> bool:
    return entry.event.text == MASK
