"""The engine: one lane, and the scripts and commands that touch its keys.

Each method is atomic, as a script or a command is. `append` and `commit` decide in the order of
`append.lua` and `commit.lua`, and are cut into small questions so that a mutant can answer one
of them wrongly. What goes wrong with the engine itself is at the bottom.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tests.simulation.article import STATUS_AFTER, Entry, Event, Part, chained, refusal
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


class NoGroup(Exception):
    """The consumer group is not there."""


class Lane(Holding):
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
        self.evidence = Evidence()

    # -- ingest ---------------------------------------------------------------------------

    def append(self, event: Event) -> Receipt:
        judged = self.known(event) or self.refused(event)
        return judged or self.held_back(event) or self.store(event)

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
        self.wake(event.slug, receipt.seq)
        return receipt

    def write_ledger(self, event: Event) -> Receipt:
        keys, fingerprint = self.articles[event.slug], event.fingerprint
        keys.seq += 1
        keys.chain = chained(keys.chain, keys.seq, fingerprint)
        keys.ledger.append(Entry(keys.seq, keys.chain, event))
        keys.seen[event.key] = (keys.seq, keys.chain, fingerprint)
        keys.status = STATUS_AFTER.get(event.act, keys.status)
        if event.act in {"posted", "retracted"}:
            keys.posted[event.update] = "live" if event.act == "posted" else "retracted"
        self.evidence.touched = event.slug
        return Receipt("accepted", keys.seq, keys.chain)

    def wake(self, slug: str, seq: int) -> None:
        self.clock += 1
        self.events.append(Wakeup(self.clock, slug, seq))
        self.dirty.setdefault(slug, self.clock)
        self.evidence.touched = slug

    def seq(self, slug: str) -> int:
        return self.articles[slug].seq

    # -- wake-ups -------------------------------------------------------------------------

    def create_group(self) -> None:
        """XGROUP CREATE … 0 MKSTREAM, and never mind if it is there."""
        self.group = self.group or Group()

    def read_group(self, consumer: str, count: int) -> list[Wakeup]:
        """XREADGROUP … >: the next ones, which stay pending until they are acked."""
        group = self._group()
        wakeups = [wakeup for wakeup in self.events if wakeup.id > group.last][:count]
        for wakeup in wakeups:
            group.pending[wakeup.id] = consumer
            group.last = wakeup.id
        return wakeups

    def pending(self) -> list[int]:
        """XPENDING."""
        return list(self._group().pending)

    def read_events(self, ids: Sequence[int]) -> list[Wakeup]:
        """XRANGE for each id; one that was trimmed isn't there."""
        return [wakeup for wakeup in self.events if wakeup.id in ids]

    def ack(self, ids: Iterable[int]) -> None:
        """XACK."""
        for id_ in ids:
            if self.group is not None and id_ in self.group.pending:
                del self.group.pending[id_]
                self.evidence.acked.append(id_)

    def _group(self) -> Group:
        if self.group is None:
            raise NoGroup
        return self.group

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

    def read_parts(self, slug: str, refs: Sequence[str]) -> list[Part]:
        """HMGET: those that are there."""
        parts = self.articles[slug].parts
        return [parts[ref] for ref in refs if ref in parts]

    def fields(self, slug: str) -> list[str]:
        """HKEYS."""
        keys = self.articles[slug]
        return [*keys.pointers, *keys.parts]

    def write_ahead(self, slug: str, parts: Mapping[str, Part]) -> None:
        """HSET: bytes under names that nothing refers to yet."""
        self.articles[slug].parts.update(parts)
        self.evidence.touched = slug

    def withdraw(self, slug: str, refs: Iterable[str]) -> None:
        """Take back what went ahead in vain, but for what somebody else made current."""
        keys = self.articles[slug]
        for ref in refs:
            if not self._current(keys, ref):
                keys.parts.pop(ref, None)
        self.evidence.touched = slug

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
            self.changes.append(Change(slug, plan.base[0], *plan.head.position))
        self.evidence.touched = slug

    def _remove_copy(self, slug: str, keys: Keys) -> None:
        keys.pages, keys.pointers, keys.parts = {}, {}, {}
        self.evidence.touched = slug

    # -- what goes wrong ------------------------------------------------------------------

    def trim_events(self) -> None:
        self.events.clear()

    def lose_group(self) -> None:
        self.group = None

    def delete_consumer(self, consumer: str) -> None:
        """XGROUP DELCONSUMER: its pending entries go with it."""
        if self.group is not None:
            pending = self.group.pending.items()
            self.group.pending = {id_: name for id_, name in pending if name != consumer}

    def copy(self) -> Lane:
        """Return what a replica has, if it hears of nothing more."""
        replica = type(self)(())
        replica.take_over(self)
        return replica

    def take_over(self, replica: Lane) -> None:
        """Become what *replica* is: a failover. Whoever holds this lane doesn't notice."""
        self.articles = {slug: keys.copy() for slug, keys in replica.articles.items()}
        self.events = list(replica.events)
        group = replica.group
        self.group = Group(group.last, dict(group.pending)) if group else None
        self.dirty = dict(replica.dirty)
        self.held = dict(replica.held)
        self.changes = list(replica.changes)
