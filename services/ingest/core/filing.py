"""The events of one article, filed without an engine: append.lua's twin, for `fold` and tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.ingest.core.legality import STATUS_AFTER, UPDATE_AFTER, Facts, judge
from shared.contract.canonical import link
from shared.contract.events import Event


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one event.

    *code* is `accepted`, `duplicate` or a problem's. *seq* is the event's place, that of the first
    with its id, or the article's last where it was refused; *chain* is set where it has a place.
    """

    code: str
    seq: int
    chain: str | None = None


@dataclass(slots=True)
class Filing:
    """One article as filed so far."""

    seq: int = 0
    chain: str = ""
    status: str | None = None
    posted: dict[str, str] = field(default_factory=dict)
    seen: dict[tuple[str, str], tuple[Verdict, str]] = field(default_factory=dict)

    def take(self, event: Event, fingerprint: str) -> Verdict:
        """Judge *event* after the ones before it, and file it if it may be."""
        if known := self.seen.get((event.id, event.source)):
            first, mark = known
            if mark != fingerprint:
                return Verdict("id-conflict", first.seq)
            return Verdict("duplicate", first.seq, first.chain)
        facts = Facts(self.seq, self.status, self.posted.get(event.update_id or ""))
        if code := judge(facts, event):
            return Verdict(code, self.seq)
        return self._file(event, fingerprint)

    def _file(self, event: Event, fingerprint: str) -> Verdict:
        self.seq += 1
        self.chain = link(self.chain, self.seq, fingerprint)
        self.status = STATUS_AFTER.get(type(event.act), self.status)
        if event.update_id is not None and type(event.act) in UPDATE_AFTER:
            self.posted[event.update_id] = UPDATE_AFTER[type(event.act)]
        verdict = Verdict("accepted", self.seq, self.chain)
        self.seen[event.id, event.source] = verdict, fingerprint
        return verdict
