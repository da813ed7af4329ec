"""The engine: one lane, and the scripts and commands that touch its keys.

Each method is atomic, as a script or a command is. `append` and `commit` decide in the order of
`append.lua` and `commit.lua`, and are cut into small questions so that a mutant can answer one
of them wrongly. What goes wrong with the engine itself is at the bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.simulation.article import (
    STATUS_AFTER,
    TAKES_BACK,
    Entry,
    Event,
    Part,
    Position,
    chained,
    refusal,
)
from tests.simulation.holding import Holding
from tests.simulation.keys import (
    Change,
    Evidence,
    Filed,
    Group,
    Head,
    Keys,
    Plan,
    Receipt,
    Refs,
    Wakeup,
)
from tests.simulation.redacting import NO_MASKS, Masks, Note, words
from tests.simulation.stream import Stream


class Lane(Holding, Stream):
    def __init__(self, slugs: Sequence[str]) -> None:
        self.articles = {slug: Keys() for slug in slugs}
        self.events: list[Wakeup] = []
        self.group: Group | None = None
        self.dirty: dict[str, int] = {}
        self.changes: list[Change] = []
        # Names stream entries and dates the dirty set. It outlives a failover: an entry's id is
        # the engine's clock, and is not given twice.
        self.clock = 0
        # When an embargo ends; it may be set, back and forth.
        self.time = 0
        self.held: dict[str, float] = {}
        self.redactions: set[Note] = set()
        # The texts in the engine's file, if anybody asks; *deaf* is a replica's, for the while.
        self.file: set[str] = set()
        self.deaf = False
        # How many wake-ups must be in the stream; and whether the outbox was ever cut.
        self.rung = 0
        self.trimmed = False
        self.last_change = 0
        self.evidence = Evidence()

    # -- ingest ---------------------------------------------------------------------------

    def append(self, event: Event, masks: Masks = NO_MASKS) -> Receipt:
        """File *event*; of a redaction, *masks* must be of the whole ledger, or it is "again"."""
        if judged := self.known(event) or self.refused(event):
            return judged
        if event.act == "redacted" and not self.read_whole(event, masks):
            return Receipt("again")
        return self.held_back(event, masks) or self.store(event)

    def known(self, event: Event) -> Receipt | None:
        first = self.articles[event.slug].seen.get(event.key)
        if first is None:
            return None
        seq, chain, fingerprint = first
        if fingerprint != event.fingerprint:
            return Receipt("rejected", code="id-conflict")
        return Receipt("duplicate", seq, chain)

    def refused(self, event: Event) -> Receipt | None:
        keys = self.articles[event.slug]
        code = refusal(event, keys.status, keys.posted)
        if code is None and event.base is not None and event.base != keys.seq:
            code = "stale"
        return None if code is None else Receipt("rejected", code=code)

    def store(self, event: Event) -> Receipt:
        receipt = self.write_ledger(event)
        self.wake(event, receipt.seq)
        return receipt

    def write_ledger(self, event: Event) -> Receipt:
        keys, fingerprint = self.articles[event.slug], event.fingerprint
        keys.seq += 1
        keys.chain = chained(keys.chain, keys.seq, fingerprint)
        keys.ledger.append(Entry(keys.seq, keys.chain, event, fingerprint))
        self.file.add(event.text)
        keys.seen[event.key] = (keys.seq, keys.chain, fingerprint)
        keys.status = STATUS_AFTER.get(event.act, keys.status)
        if event.act == "posted":
            keys.posted[event.update] = "live"
        elif event.act in TAKES_BACK:
            keys.posted[event.update] = "retracted"
        self.evidence.touched = event.slug
        return Receipt("accepted", keys.seq, keys.chain)

    def wake(self, event: Event, seq: int) -> None:
        self.clock += 1
        self.events.append(Wakeup(self.clock, event.slug, seq, event.text))
        self.rung += 1
        self.dirty.setdefault(event.slug, self.clock)
        self.evidence.touched = event.slug

    def seq(self, slug: str) -> int:
        return self.articles[slug].seq

    def oldest_dirty(self) -> str | None:
        return next(iter(self.dirty), None)

    # -- render ---------------------------------------------------------------------------

    def filed(self, slug: str) -> Filed:
        return self.articles[slug].filed

    def read_ledger(self, slug: str, after: int, count: int) -> list[Entry]:
        return self.articles[slug].ledger[after : after + count]

    def read_head(self, slug: str) -> tuple[Head, Refs]:
        """MULTI: the head, and the refs that all pages hold."""
        keys = self.articles[slug]
        return keys.head, tuple(ref for page in sorted(keys.pages) for ref in keys.pages[page])

    def read_pointers(self, slug: str, names: Sequence[str]) -> tuple[Filed, dict[str, str]]:
        """MULTI: what is committed, and the refs of those updates that are there."""
        keys = self.articles[slug]
        return keys.filed, {n: keys.pointers[n] for n in names if n in keys.pointers}

    def read_pages(self, slug: str, pages: Iterable[int]) -> tuple[Filed, dict[int, Refs]]:
        """MULTI: what is committed, and those pages that are there."""
        keys = self.articles[slug]
        return keys.filed, {n: keys.pages[n] for n in pages if n in keys.pages}

    def read_changed(self, slug: str, since: Position) -> tuple[Head, list[str], bool]:
        """MULTI: the head, what changed after *since*, and whether that is of our history."""
        keys, (version, chain) = self.articles[slug], since
        refs = (ref for page in keys.pages.values() for ref in page)
        parts = [keys.parts[ref] for ref in refs if ref in keys.parts]
        its = keys.ledger[version - 1].chain if 0 < version <= len(keys.ledger) else ""
        names = [part.name for part in parts if part.version > version]
        return keys.head, names, not version or its == chain

    def read_changes(self, after: int) -> list[Change]:
        """XREAD."""
        return [change for change in self.changes if change.id > after]

    def outbox(self, place: int | None) -> tuple[int, bool]:
        """XINFO, XRANGE: its last id ever, and whether all after *place* is there."""
        whole = place == self.last_change or (not place and not self.trimmed)
        return self.last_change, whole or any(change.id == place for change in self.changes)

    def read_parts(self, slug: str, refs: Sequence[str]) -> list[Part]:
        """HMGET: those that are there."""
        parts = self.articles[slug].parts
        return [parts[ref] for ref in refs if ref in parts]

    def fields(self, slug: str) -> list[str]:
        """HKEYS."""
        keys = self.articles[slug]
        return [*keys.pointers, *keys.parts]

    def write_ahead(self, slug: str, base: Position, parts: Mapping[str, Part]) -> bool:
        """Write bytes under names that nothing refers to yet, unless *base* was overtaken.

        Else who comes late would bring back a text that was destroyed meanwhile.
        """
        keys = self.articles[slug]
        if not self._at_base(keys, base):
            return False
        keys.parts.update(parts)
        for part in parts.values():
            self.file.update(words(part.text))
        self.evidence.touched = slug
        return True

    def _at_base(self, keys: Keys, base: Position) -> bool:
        return (keys.version, keys.version_chain) == base

    def withdraw(self, slug: str, refs: Iterable[str]) -> int:
        """Take back what went ahead in vain, but for what somebody else made current."""
        keys = self.articles[slug]
        gone = [ref for ref in refs if ref in keys.parts and not self._current(keys, ref)]
        for ref in gone:
            del keys.parts[ref]
        self.evidence.touched = slug
        return len(gone)

    def _current(self, keys: Keys, ref: str) -> bool:
        return ref in {keys.head.body, *keys.pointers.values()}

    def commit(self, slug: str, plan: Plan) -> str:
        keys = self.articles[slug]
        verdict = self._verdict(keys, plan)
        if verdict == "committed":
            self._make_current(slug, keys, plan)
        if verdict == "acked" and plan.head.status == "killed":
            self._remove_copy(slug, keys)
        self.ack(wakeup.id for wakeup in plan.wakeups if self._covered(keys, wakeup))
        if self._up_to_date(keys):
            self.dirty.pop(slug, None)
        return verdict

    def _verdict(self, keys: Keys, plan: Plan) -> str:
        if not self._same_version(keys, plan):
            return "stale"
        if not self._same_base(keys, plan):
            return "fork"
        if plan.head.version == plan.base[0] and not plan.replace:
            return "acked"
        if not self._same_history(keys, plan):
            return "fork"
        return "committed" if self._bytes_there(keys, plan) else "missing"

    def _same_version(self, keys: Keys, plan: Plan) -> bool:
        return keys.version == plan.base[0]

    def _same_base(self, keys: Keys, plan: Plan) -> bool:
        return keys.version_chain == plan.base[1]

    def _same_history(self, keys: Keys, plan: Plan) -> bool:
        version, chain = plan.head.position
        return version <= keys.seq and keys.ledger[version - 1].chain == chain

    def _bytes_there(self, keys: Keys, plan: Plan) -> bool:
        """Somebody overtaken may have taken them back, a failover may have lost them."""
        there = all(ref in keys.parts for ref in plan.updates.values())
        return there and (plan.body is None or plan.body in keys.parts)

    def _covered(self, keys: Keys, wakeup: Wakeup) -> bool:
        return wakeup.seq <= keys.version or self._up_to_date(keys)

    def _up_to_date(self, keys: Keys) -> bool:
        return keys.version >= keys.seq

    def _make_current(self, slug: str, keys: Keys, plan: Plan) -> None:
        if plan.replace:
            keys.pages = {}
        if plan.head.status == "killed":
            self._remove_copy(slug, keys)
        keys.pointers.update(plan.updates)
        keys.pages.update(plan.pages)
        for name in plan.superseded:
            keys.pointers.pop(name, None)
            keys.parts.pop(name, None)
        keys.head = plan.head
        keys.version, keys.version_chain = plan.head.position
        if plan.head.chain != plan.base[1]:
            self.clock += 1
            self.changes.append(Change(self.clock, slug, plan.base[0], *plan.head.position))
            self.last_change = self.clock
            self.evidence.changes.append(self.changes[-1])
        self.evidence.touched = slug

    def _remove_copy(self, slug: str, keys: Keys) -> None:
        keys.pages, keys.pointers, keys.parts = {}, {}, {}
        self.evidence.touched = slug

    # -- what goes wrong ------------------------------------------------------------------

    def trim_changes(self) -> None:
        self.changes.clear()
        self.trimmed = True

    def copy(self) -> Lane:
        """Return what a replica has, if it hears of nothing more."""
        replica = type(self)(())
        replica.take_over(self)
        return replica

    def take_over(self, replica: Lane) -> None:
        """Become what *replica* is: a failover. Whoever holds this lane doesn't notice."""
        self.articles = {slug: keys.copy() for slug, keys in replica.articles.items()}
        self.events, self.rung = list(replica.events), replica.rung
        group = replica.group
        self.group = Group(group.last, dict(group.pending)) if group else None
        self.dirty = dict(replica.dirty)
        self.held = dict(replica.held)
        self.redactions = set(replica.redactions)
        self.file = set(replica.file)
        self.changes, self.last_change = list(replica.changes), replica.last_change
