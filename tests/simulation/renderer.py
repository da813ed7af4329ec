"""The renderer: from what the ledger has beyond the committed version to a commit.

It keeps no more of an article at hand than its head and the page it wrote last, reads what the
new events name, writes bytes ahead, and commits. What was overtaken on the way is taken back,
and begun anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from typing import NamedTuple

from tests.simulation.article import Entry, Part, Position, State, chained, fold
from tests.simulation.keys import Filed, Head, Plan, Refs, Wakeup
from tests.simulation.model import Lane
from tests.simulation.steps import RESTS, Dice, Steps
from tests.simulation.stream import NoGroup

PAGE_SIZE = 2
BATCH = 4
ENTRIES_A_ROUND = 3
PARTS_A_WRITE = 2
TRIES = 20

Wakeups = tuple[Wakeup, ...]


class Stored(NamedTuple):
    """What the engine holds of an article, as far as it is at hand."""

    head: Head = Head()
    pages: Mapping[int, Refs] = {}


class Renderer:
    """Follows the wake-ups, and makes the articles they name current."""

    def __init__(self, name: str, lane: Lane, dice: Dice) -> None:
        self.name, self.lane, self.dice = name, lane, dice
        self.warm: dict[str, Stored] = {}

    def steps(self) -> Steps[None]:
        while True:
            try:
                wakeups = self.lane.read_group(self.name, BATCH)
            except NoGroup:
                self.lane.create_group()
                yield ("creates group",)
                continue
            yield ("reads wake-ups", *wakeups) if wakeups else RESTS
            yield from self.take(wakeups)

    def take(self, wakeups: Iterable[Wakeup]) -> Steps[None]:
        batches: dict[str, list[Wakeup]] = {}
        for wakeup in wakeups:
            batches.setdefault(wakeup.slug, []).append(wakeup)
        for slug, batch in batches.items():
            yield from self.render(slug, tuple(batch))

    def render(self, slug: str, wakeups: Wakeups = ()) -> Steps[None]:
        """Bring *slug* up to its ledger, unless others do that all the time."""
        failures = 0
        while failures < TRIES:
            outcome = yield from self.round(slug, wakeups)
            if outcome == "done":
                return
            failures = failures + 1 if outcome == "again" else 0

    def round(self, slug: str, wakeups: Wakeups) -> Steps[str]:
        """Take one round of entries: "done", "more" to take, or overtaken and "again"."""
        before = self.warm.pop(slug, None) or (yield from self.load(slug))
        filed = self.lane.filed(slug)
        yield "reads version of", slug, filed.position[0]
        entries = self.lane.read_ledger(slug, before.head.version, ENTRIES_A_ROUND)
        yield "reads ledger of", slug, before.head.version, len(entries)
        if not self.at(filed, before.head):
            return "again"
        if not entries and filed.seq == filed.position[0]:
            return (yield from self.settle(slug, filed, before, wakeups))
        if not entries or not self.follows(before.head.position, entries[0]):
            return (yield from self.replay(slug, wakeups))
        plan = yield from self.fold(slug, filed, before, entries)
        if plan is None:
            return "again"
        verdict = yield from self.make_current(slug, plan, wakeups)
        if verdict != "committed":
            return "again"
        self.warm[slug] = Stored(plan.head, plan.pages or before.pages)
        return "more" if len(entries) == ENTRIES_A_ROUND else "done"

    def load(self, slug: str) -> Steps[Stored]:
        head, _ = self.lane.read_head(slug)
        yield "reads head of", slug, head.version
        return Stored(head)

    def at(self, filed: Filed, head: Head) -> bool:
        """Whether *head* is what is committed."""
        return filed.position == head.position

    def follows(self, position: Position, entry: Entry) -> bool:
        """Whether the ledger goes on from *position*, and not from another history."""
        version, chain = position
        return entry.chain == chained(chain, version + 1, entry.fingerprint)

    def settle(self, slug: str, filed: Filed, before: Stored, wakeups: Wakeups) -> Steps[str]:
        """Ack what is covered: there is nothing to render.

        If it is killed, that also removes what somebody wrote ahead and never took back.
        """
        plan = Plan(filed.position, before.head, wakeups=wakeups)
        if (yield from self.commit(slug, plan)) != "acked":
            return "again"
        self.warm[slug] = before
        return "done"

    def replay(self, slug: str, wakeups: Wakeups) -> Steps[str]:
        """Fold the whole ledger, and replace what is stored."""
        filed = self.lane.filed(slug)
        yield "replays", slug
        state = State()
        while entries := self.lane.read_ledger(slug, state.version, ENTRIES_A_ROUND):
            yield "reads ledger of", slug, state.version, len(entries)
            if not self.follows(state.position, entries[0]):
                return "again"
            state = reduce(fold, entries, state)
        yield "reads ledger of", slug, state.version, 0
        if state.version < filed.seq or not state.version:
            return "done"  # Something is badly wrong, or was a moment ago: it stays dirty.
        fields = self.lane.fields(slug)
        yield "lists fields of", slug, *fields
        plan = self.plan(filed.position, Stored(), state)
        wanted = {*plan.ahead, *plan.updates}
        gone = tuple(field for field in fields if field not in wanted)
        plan = plan._replace(superseded=gone, replace=True)
        verdict = yield from self.make_current(slug, plan, wakeups)
        return "done" if verdict == "committed" else "again"

    # -- the fold -------------------------------------------------------------------------

    def fold(
        self, slug: str, filed: Filed, before: Stored, entries: Sequence[Entry]
    ) -> Steps[Plan | None]:
        """Fold *entries*, reading what they name. None: overtaken while reading."""
        head = before.head
        known = yield from self.known(slug, head, entries)
        if known is None:
            return None
        start = State(*head.position, head.status, None, head.posted, head.said, tuple(known))
        states = list(accumulate(entries, fold, initial=start))
        after = states[-1]
        pages = yield from self.touched(slug, before, after)
        if pages is None:
            return None
        gone = [self.ref(part) for state in states for part in state.parts]
        gone += [head.body] if after.body and head.body else []
        kept = {self.ref(part) for part in after.parts}
        plan = self.plan(filed.position, Stored(head, pages), after)
        return plan._replace(superseded=tuple(ref for ref in gone if ref not in kept))

    def known(self, slug: str, head: Head, entries: Sequence[Entry]) -> Steps[list[Part] | None]:
        """Read the updates that *entries* name."""
        names = sorted({entry.event.update for entry in entries if entry.event.update})
        if not names:
            return []
        filed, refs = self.lane.read_pointers(slug, names)
        yield "reads pointers of", slug, *refs.values()
        if not self.still(filed, head):
            return None
        if not refs:
            return []
        parts = self.lane.read_parts(slug, list(refs.values()))
        yield "reads parts of", slug, len(parts)
        return parts if len(parts) == len(refs) else None

    def touched(self, slug: str, before: Stored, after: State) -> Steps[Mapping[int, Refs] | None]:
        """Read the pages that hold changed updates, exist, and are not at hand."""
        head = before.head
        changed = (part for part in after.updates if part.version > head.version)
        pages = {part.number // PAGE_SIZE for part in changed} - before.pages.keys()
        missing = sorted(page for page in pages if page * PAGE_SIZE < head.posted)
        if not missing:
            return before.pages
        filed, read = self.lane.read_pages(slug, missing)
        yield "reads pages of", slug, *read
        return {**before.pages, **read} if self.still(filed, head) else None

    def still(self, filed: Filed, head: Head) -> bool:
        """Whether what was read is of *head*, and not of a later or another commit."""
        return self.at(filed, head)

    def plan(self, base: Position, before: Stored, after: State) -> Plan:
        """Return what has to be written so that *after* takes the place of *before*."""
        changed = [part for part in after.updates if part.version > before.head.version]
        ahead = {self.ref(part): part for part in changed}
        body = None
        if after.body:
            body = self.ref(after.body)
            ahead[body] = after.body
        kept = None if after.status == "killed" else before.head.body
        return Plan(
            base,
            Head(*after.position, after.status, body or kept, after.posted, after.said),
            ahead=ahead,
            updates={part.name: self.ref(part) for part in changed},
            body=body,
            pages=self.pages(before.pages, changed),
        )

    def pages(self, before: Mapping[int, Refs], changed: Iterable[Part]) -> dict[int, Refs]:
        pages: dict[int, Refs] = {}
        for part in sorted(changed, key=lambda part: part.number):
            page, place = divmod(part.number, PAGE_SIZE)
            refs = pages.get(page, before.get(page, ()))
            pages[page] = (*refs[:place], self.ref(part), *refs[place + 1 :])
        return pages

    def ref(self, part: Part) -> str:
        return part.ref

    # -- the commit -----------------------------------------------------------------------

    def make_current(self, slug: str, plan: Plan, wakeups: Wakeups) -> Steps[str]:
        """Write the bytes, then commit; take the bytes back if others were first.

        Not if they are missing, though: whoever writes them meanwhile would miss them next, and
        so on in a ring.
        """
        items, verdict = list(plan.ahead.items()), "stale"
        for start in range(0, len(items), PARTS_A_WRITE):
            some = dict(items[start : start + PARTS_A_WRITE])
            written = self.lane.write_ahead(slug, plan.base, some)
            yield "writes ahead for", slug, written, *some
            if not written:
                break
        else:
            verdict = yield from self.commit(slug, plan._replace(wakeups=wakeups))
        if verdict in {"stale", "fork"} and items:
            self.lane.withdraw(slug, plan.ahead)
            yield "takes back for", slug, *plan.ahead
        return verdict

    def commit(self, slug: str, plan: Plan) -> Steps[str]:
        verdict = self.lane.commit(slug, plan)
        yield f"is {verdict} at", slug, plan.base[0], plan.head.version
        if self.dice.mishap(0.05):
            # The reply was lost, and the client library sent the script again.
            verdict = self.lane.commit(slug, plan)
            yield f"is {verdict} again at", slug, plan.base[0], plan.head.version
        return verdict
