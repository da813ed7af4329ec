"""An event → what the desk should look at: each check that is on, over the copy that it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.ingest.core.checks.balance import unbalanced
from services.ingest.core.checks.citations import dangling, unused
from services.ingest.core.checks.endings import cut_short
from services.ingest.core.checks.finding import Finding
from services.ingest.core.checks.likeness import features, near_duplicate
from services.ingest.core.checks.memory import MAX_CHARS, Memory
from services.ingest.core.checks.placeholders import placeholders
from services.ingest.core.checks.quotations import quotations, same_quote
from services.ingest.core.checks.times import odd_time
from shared.contract import acts
from shared.contract.desk import CHECKS, Check, Level, Levels
from shared.contract.events import Event

Copy = acts.Posted | acts.Revised | acts.Corrected | acts.Published | acts.Writethru
Update = acts.Posted | acts.Revised | acts.Corrected

TEXT = "/data/text"
#: What checks read, field by field.
_WRITTEN = ("headline", "text", "body", "summary", "note")
_LONG = ("text", "body")


@dataclass(frozen=True, slots=True)
class Case:
    """An event with copy, and what there is to judge it by."""

    event: Event
    act: Copy
    memory: Memory
    now: datetime

    def written(self, *names: str) -> Iterator[tuple[str, str]]:
        """Yield the fields of these names that were sent, each by its pointer."""
        for name in names:
            if name in self.act.model_fields_set and (text := getattr(self.act, name, None)):
                yield f"/data/{name}", text

    @property
    def text(self) -> str | None:
        """The update's text, if this brings one."""
        return dict(self.written("text")).get(TEXT)


def bears_copy(event: Event) -> bool:
    """Whether there is anything in *event* for a check to look at."""
    return isinstance(event.act, Copy)


def examine(event: Event, memory: Memory, levels: Levels, now: datetime) -> list[Finding]:
    """Return what the checks that are on find in *event*; *memory* is of what was filed before."""
    if not isinstance(event.act, Copy):
        return []
    case = Case(event, event.act, memory, now)
    return [found for check in CHECKS if levels[check] != "off" for found in _LOOK[check](case)]


def strictest(found: list[Finding], levels: Levels) -> Level:
    """Return the strictest level among those of what was *found*; `off` for nothing."""
    order: tuple[Level, ...] = ("refuse", "hold", "warn")
    present = {levels[each.check] for each in found}
    return next((level for level in order if level in present), "off")


def _dangling(case: Case) -> Iterator[Finding]:
    """An update may cite the article's other sources too: some number theirs throughout."""
    if (text := case.text) is None or not isinstance(case.act, Update):
        return
    posted = isinstance(case.act, acts.Posted)
    own = {source.n for source in case.act.sources or ()}
    if posted or "sources" in case.act.model_fields_set or _remembers(case):
        yield from dangling(TEXT, text, own | case.memory.sources)


def _remembers(case: Case) -> bool:
    return (case.event.update_id or "") in case.memory.updates


def _unused(case: Case) -> Iterator[Finding]:
    if (text := case.text) is not None and isinstance(case.act, Update):
        sources = enumerate(case.act.sources or ())
        yield from unused(
            TEXT, text, ((f"/data/sources/{place}", each.n) for place, each in sources)
        )


def _cut_short(case: Case) -> Iterator[Finding]:
    for pointer, text in case.written(*_LONG):
        yield from cut_short(pointer, text)


def _near_duplicate(case: Case) -> Iterator[Finding]:
    if (text := case.text) is not None:
        ours, own = features(text[:MAX_CHARS]), case.event.update_id
        others = ((name, each.features) for name, each in case.memory.updates.items())
        yield from near_duplicate(TEXT, text, ours, (each for each in others if each[0] != own))


def _placeholder(case: Case) -> Iterator[Finding]:
    for pointer, text in case.written(*_WRITTEN):
        yield from placeholders(pointer, text)


def _unbalanced(case: Case) -> Iterator[Finding]:
    for pointer, text in case.written(*_LONG):
        yield from unbalanced(pointer, text)


def _odd_time(case: Case) -> Iterator[Finding]:
    """Only of posts: an edit's time is when it was made."""
    if isinstance(case.act, acts.Posted):
        yield from odd_time(case.event.time, case.memory.opened, case.now)


def _same_quote(case: Case) -> Iterator[Finding]:
    if (text := case.text) is not None:
        own = case.event.update_id
        theirs = (each.quotations for name, each in case.memory.updates.items() if name != own)
        others = [quotation for each in theirs for quotation in each]
        yield from same_quote(TEXT, quotations(text[:MAX_CHARS]), others)


_LOOK: Mapping[Check, Callable[[Case], Iterator[Finding]]] = {
    "dangling-citation": _dangling,
    "unused-source": _unused,
    "cut-short": _cut_short,
    "near-duplicate": _near_duplicate,
    "placeholder": _placeholder,
    "unbalanced": _unbalanced,
    "odd-time": _odd_time,
    "same-quote": _same_quote,
}
