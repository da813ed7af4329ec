"""What must hold after every step, and what must hold in the end.

I1  ledger   gapless, every id once, the chain verifies, every event legal where it stands
I2  state    what a reader assembles at version v is the fold of events 1 to v, chain and all
I3  outbox   the intervals join: none twice, none missing, up to v
I4  dirty    an article that is behind is in the dirty set
I5  acks     a wake-up that could still be read is acked only when the version covers it
I6  promise  an acknowledged event is in the ledger where its receipt says, and stays there
I7  reader   versions only grow, changes join, what is put in place equals the article; in the end
             every reader has it
I9  redacted its text leaves the ledger in the same step; in the end it is nowhere, the engine's
             file included, and all else is as it was
I13 held     what is held is in no ledger and known as held; it gets there when its time has come or
             an editor says so, and is taken out only by an editor or an act that takes it back
END          without further faults everything is rendered and nothing stays pending

Only what a step touched is looked at after it; `audit` looks at everything, from the beginning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

from tests.simulation.article import Event, Part, Position, State, chained, fold, refusal
from tests.simulation.keys import Keys, Receipt
from tests.simulation.model import Lane
from tests.simulation.redacting import stored_texts


class Violation(Exception):
    """An invariant doesn't hold."""

    def __init__(self, rule: str, what: object) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


def violated(rule: str, what: object) -> NoReturn:
    raise Violation(rule, what)


@dataclass(slots=True)
class Book:
    """What is already known of one article: the fold of its ledger at each version."""

    folds: list[State] = field(default_factory=lambda: [State()])
    ids: set[tuple[str, str]] = field(default_factory=set)
    covered: int = 0


class Watch:
    """Follows a lane. With *lossy* the engine may forget, so a receipt is no promise (I6)."""

    def __init__(self, lane: Lane, lossy: bool, plans: Iterable[Event] = ()) -> None:
        self.lane, self.lossy = lane, lossy
        # What was ever meant to be filed about an update; and which were ever redacted.
        self.texts: dict[tuple[str, str], set[str]] = defaultdict(set)
        for event in plans:
            if event.act != "redacted":
                self.texts[event.slug, event.update].add(event.text)
        self.blank: dict[str, set[str]] = defaultdict(set)
        self.promised: dict[tuple[str, str, str], tuple[Event, Receipt]] = {}
        self.last_promised: dict[tuple[str, str], int] = {}
        self.histories: dict[str, State] = {"": State()}
        self.begin()

    def begin(self) -> None:
        self.books = {slug: Book() for slug in self.lane.articles}
        self.lane.evidence.changes = list(self.lane.changes)
        for change in reversed(self.lane.changes if self.lane.trimmed else ()):
            self.books[change.slug].covered = change.start
        for slug, keys in self.lane.articles.items():
            if self.lane.trimmed and not any(each.slug == slug for each in self.lane.changes):
                self.books[slug].covered = keys.version

    def audit(self) -> None:
        """Look at the whole lane afresh, whatever was seen before."""
        self.begin()
        for slug, keys in self.lane.articles.items():
            self.ledger(keys, self.books[slug])
        for slug in self.lane.articles:
            self.article(slug)
        for event, receipt in self.promised.values():
            self.kept(event, receipt)

    def step(self) -> None:
        evidence = self.lane.evidence
        if evidence.touched is not None:
            self.article(evidence.touched, live=True)
            evidence.touched = None
        if evidence.acked:
            for wakeup in self.lane.read_events(evidence.acked):
                if self.lane.articles[wakeup.slug].version < wakeup.seq:
                    violated("I5 acked before it was rendered", wakeup)
            evidence.acked.clear()
        while evidence.pages:
            slug, page = evidence.pages.pop()
            if not self.same(slug, page, self.histories.get(page.chain)):
                violated("I2 a reader got what no history gives", page)
        while evidence.told:
            self.told(*evidence.told.pop())
        while evidence.redacted:
            self.masked(*evidence.redacted.pop())
        while evidence.receipts:
            self.receipt(*evidence.receipts.pop())

    def article(self, slug: str, *, live: bool = False) -> None:
        keys, book = self.lane.articles[slug], self.books[slug]
        self.ledger(keys, book, live=live)
        self.held(slug, keys)
        self.state(slug, keys, book)
        self.outbox(slug, keys)
        if keys.version < keys.seq and slug not in self.lane.dirty:
            violated("I4 behind and not dirty", (slug, keys.version, keys.seq))

    def ledger(self, keys: Keys, book: Book, *, live: bool = False) -> None:
        """Check what is new in the ledger; *live* says that it came with the last step."""
        folds = book.folds
        for entry in keys.ledger[len(folds) - 1 :]:
            state, event = folds[-1], entry.event
            if entry.seq != len(folds):
                violated("I1 a gap in the ledger", entry)
            if entry.chain != chained(state.chain, entry.seq, entry.fingerprint):
                violated("I1 the chain doesn't verify", entry)
            if event.key in book.ids:
                violated("I1 an id came twice", entry)
            code = refusal(event, state.status, state.standing)
            # What was taken back before it was out may be redacted once more.
            if code and (event.act, code) != ("redacted", "unknown-update"):
                violated("I1 an illegal act was accepted", entry)
            name = (event.slug, *event.key)
            unseen = event.check and name not in self.lane.evidence.looked_at
            waits = unseen or event.due > self.lane.time
            if live and waits and name not in self.lane.evidence.lifted:
                violated("I13 released before its time", (entry, self.lane.time))
            # The base of a held event is judged when it is filed.
            was_held = name in self.lane.evidence.held
            if event.base is not None and event.base != entry.seq - 1 and not was_held:
                violated("I1 a stale event was accepted", entry)
            book.ids.add(event.key)
            after = fold(state, entry)
            folds.append(after)
            self.histories[after.chain] = after
        if (keys.seq, keys.chain) != (len(folds) - 1, folds[-1].chain):
            violated("I1 seq and chain aren't the ledger's", (keys.seq, keys.chain))

    def state(self, slug: str, keys: Keys, book: Book) -> None:
        head = keys.head
        if keys.filed.position != head.position:
            violated("I2 head and article differ", (slug, keys.filed, head))
        if head.version >= len(book.folds):
            violated("I2 committed beyond the ledger", (slug, head))
        expected = book.folds[head.version]
        refs = [ref for n in sorted(keys.pages) for ref in keys.pages[n]]
        body = keys.parts.get(head.body) if head.body else None
        updates = tuple(keys.parts.get(ref) for ref in refs)
        got = State(*head.position, head.status, body, *head[4:], updates)  # type: ignore[arg-type]
        if not self.same(slug, got, expected):
            violated("I2 state isn't the fold", (slug, head, body, updates, expected))
        if [keys.pointers.get(part.name) for part in expected.updates] != refs:
            violated("I2 pointers and pages differ", (slug, keys.pointers, refs))

    def same(self, slug: str, got: State, expected: State | None) -> bool:
        """Compare, but for texts that were redacted: a mask takes their place whenever it comes."""
        if got == expected:
            return True
        names = self.blank[slug]
        if not names or expected is None:
            return False
        return _blanked(got, names) == _blanked(expected, names)

    def told(self, who: str, at: Position, kind: str, start: int, to: Position) -> None:
        if kind == "change" and not at[0] == start < to[0]:
            violated("I7 changes don't join", (who, at, start, to))

    def masked(self, slug: str, update: str) -> None:
        self.blank[slug].add(update)
        left = self.texts[slug, update].intersection(stored_texts(self.lane.articles[slug]))
        if left:
            violated("I9 a redacted text is in the ledger", (slug, update, left))

    def destroyed(self) -> None:
        """Look for texts that must not exist, and for what went with them."""
        if len(self.lane.events) != self.lane.rung:
            violated("I9 a wake-up went with a text", self.lane.events)
        everywhere = {*self.lane.texts(), *self.lane.file}
        for slug, keys in self.lane.articles.items():
            for update in self.redactions(slug, keys):
                if left := self.texts[slug, update] & everywhere:
                    violated("I9 a redacted text is there still", (slug, update, left))

    def redactions(self, slug: str, keys: Keys) -> set[str]:
        """Return the updates whose redaction is in the ledger, or was before they were out."""
        named = {entry.event.update for entry in keys.ledger if entry.event.act == "redacted"}
        taken = self.blank[slug] if not self.lossy else set[str]()
        return named | {name for name in taken if keys.posted.get(name) == "retracted"}

    def outbox(self, slug: str, keys: Keys) -> None:
        changes, self.lane.evidence.changes = self.lane.evidence.changes, []
        for change in changes:
            book = self.books[change.slug]
            if change.start != book.covered or change.end <= change.start:
                violated("I3 intervals don't join", change)
            if change.end >= len(book.folds) or book.folds[change.end].chain != change.chain:
                violated("I3 another history's change", change)
            book.covered = change.end
        if self.books[slug].covered != keys.version:
            violated("I3 a version is not in the outbox", (slug, keys.version))

    def receipt(self, client: str, event: Event, receipt: Receipt) -> None:
        """Hold the engine to what it answered, now and later."""
        if self.lossy:
            return
        key = (event.slug, *event.key)
        known, first = self.promised.get(key, (event, receipt))
        if known.fingerprint != event.fingerprint:
            if receipt.code != "id-conflict":
                violated("I6 an id with other copy went through", (event, receipt))
            return
        if receipt.status == "rejected":
            if key in self.promised:
                violated("I6 an acknowledged event was rejected", (event, receipt))
            return
        # What was held has its place later, and then for good.
        if first.seq and (first.seq, first.chain) != (receipt.seq, receipt.chain):
            violated("I6 two receipts for one event", (event, first, receipt))
        self.kept(event, receipt)
        if key not in self.promised and receipt.seq:
            self.in_order(client, event, receipt)
        if key not in self.promised or not first.seq:
            self.promised[key] = (event, receipt)

    def in_order(self, client: str, event: Event, receipt: Receipt) -> None:
        """A client that waits for its answers has its events in the order it sent them."""
        before = self.last_promised.get((client, event.slug), 0)
        if event.source == client and receipt.seq <= before:
            violated("I6 out of order", (event, receipt))
        if event.source == client:
            self.last_promised[client, event.slug] = receipt.seq

    def held(self, slug: str, keys: Keys) -> None:
        known = {key for key, (_, mark, _) in keys.seen.items() if mark == "held"}
        if known != keys.holds.keys():
            violated("I13 what is held is not what is known as held", (slug, known, keys.holds))
        if both := self.books[slug].ids & keys.holds.keys():
            violated("I13 held, and in the ledger", (slug, both))
        if keys.holds and keys.status == "killed":
            violated("I13 held after the kill", (slug, keys.holds))
        if keys.holds and slug not in self.lane.held:
            violated("I13 nobody will look at what is held", (slug, keys.holds))

    def waits(self, event: Event) -> None:
        """Hold the engine to an event that it has promised to release."""
        keys = self.lane.articles[event.slug]
        seq, mark, _ = keys.seen.get(event.key, (0, "", ""))
        if not seq and mark not in {"held", "spiked"}:
            violated("I13 what was held is lost", event)
        if mark == "spiked" and not self.taken_back(event, keys):
            violated("I13 taken out by nobody", event)

    def taken_back(self, event: Event, keys: Keys) -> bool:
        by_editor = (event.slug, *event.key) in self.lane.evidence.spiked
        return by_editor or keys.status == "killed" or keys.posted.get(event.update) == "retracted"

    def kept(self, event: Event, receipt: Receipt) -> None:
        if not receipt.seq:
            self.waits(event)
            return
        ledger = self.lane.articles[event.slug].ledger
        there = ledger[receipt.seq - 1] if 0 < receipt.seq <= len(ledger) else None
        if there is None or there.chain != receipt.chain or there.event.key != event.key:
            violated("I6 an acknowledged event is not in the ledger", (event, receipt))

    def settled(self) -> bool:
        """Whether nothing is left to do."""
        lane = self.lane
        behind = any(keys.version < keys.seq for keys in lane.articles.values())
        pending = lane.group is not None and lane.group.pending
        return not (behind or lane.dirty or pending or lane.redactions or lane.due())


def _blanked(state: State, names: set[str]) -> State:
    """Return *state* without the texts of the updates *names*."""
    return state._replace(updates=tuple(_without_text(part, names) for part in state.updates))


def _without_text(part: Part, names: set[str]) -> Part:
    return part._replace(text="") if part and part.text and part.name in names else part
