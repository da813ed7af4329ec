"""One source, pulled once: fetched or asked, read, filed by the door that all events come by.

Whatever is filed has an id that follows from the source's own, so a run that dies anywhere, or is
done twice, files nothing twice. How far it got is kept last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import orjson
import structlog

from services.ingest.checking import Checker
from services.ingest.core.bodies import Item
from services.ingest.core.sources.documents import Document, Unreadable
from services.ingest.core.sources.entries import Envelope, Reader, Seen, Step
from services.ingest.judging import judge, report
from services.ingest.sources.fetching import Failed, fetch
from services.ingest.sources.records import Records, Stand
from services.ingest.sources.settling import (
    Outcome,
    code_of,
    counted,
    fate_of,
    is_open,
    reason_of,
    shared_out,
)
from services.ingest.sources.updaters import Updaters
from shared.contract.access import Rights
from shared.contract.errors import Refused
from shared.contract.events import MAX_EVENT_BYTES, Event
from shared.contract.receipts import Receipt
from shared.contract.sources import Source
from shared.runtime.clock import now
from shared.runtime.durability import Wait
from shared.runtime.metrics import count

__all__ = ["Draft", "Outcome", "Sources"]

#: Entries that one run files; what is beyond comes at the next tick.
STEPS_A_RUN = 200

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a run would file, and where the source stands *before* and *after* it.

    Of a document there are *steps*, by a *reader*, beyond what was *seen*; of an updater, *events*.
    """

    before: Stand
    after: Stand
    reader: Reader | None = None
    steps: Sequence[Step] = ()
    seen: Mapping[str, Seen] | None = None
    events: Sequence[Envelope] = ()

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to file."""
        return not (self.steps or self.events)


_Done = tuple[Outcome, Stand, Mapping[str, Seen] | None]


class Sources:
    """All articles' sources; *wait* confirms the installation's level of durability."""

    def __init__(self, updaters: Updaters, checker: Checker, wait: Wait | None = None) -> None:
        self.records: Records = updaters.records
        self.updaters = updaters
        self._checker = checker
        self._outside = updaters.outside
        self._wait = wait

    async def of(self, slug: str) -> tuple[Source, ...]:
        """Return all sources of article *slug*, those that are paused too."""
        return tuple(each.source for each in await self.records.everyone(slug))

    async def run(self, slug: str, source: Source, *, tick: str) -> Outcome:
        """Pull *source* once. The same *tick* again, an id, files nothing twice.

        Raises:
            RedisError, OSError: the engine doesn't answer; nothing is known of how far it got.
        """
        stand, seen = await self.records.stand(slug, source)
        began = replace(stand, ran=now())
        kept: Mapping[str, Seen] | None = None
        try:
            draft = await self.draft(slug, source, began, seen, tick)
            outcome, done, kept = await self._filed(slug, source, draft)
        except Failed as error:
            outcome = Outcome(failure=error.reason, retry_after=error.rest, gone=error.gone)
            done = began
        except Unreadable as error:
            outcome, done = Outcome(failure=str(error)), began
        await self.records.keep(slug, source.name, _ended(done, outcome), kept)
        _tell(slug, source, outcome)
        return outcome

    async def draft(
        self, slug: str, source: Source, stand: Stand, seen: Mapping[str, Seen], tick: str
    ) -> Draft:
        """Return what a run would file, without filing it.

        Raises:
            Failed: the source can't be reached, or says no.
            Unreadable: what it says can't be read.
        """
        if source.kind == "http":
            answer = await self.updaters.ask(slug, source, tick, stand.cursor)
            return Draft(stand, replace(stand, cursor=answer.cursor), events=answer.events)
        fetched = await fetch(self._outside, source.url, stand.etag, stand.modified)
        after = replace(stand, etag=fetched.etag, modified=fetched.modified)
        if fetched.document is None:
            return Draft(stand, after)
        reader = Reader(slug, source, now())
        # A large feed takes seconds, in which this process has events to take in.
        steps = await asyncio.to_thread(_steps, reader, fetched.document, seen)
        if len(steps) > STEPS_A_RUN:
            after = _again(after)
        return Draft(stand, after, reader, steps[:STEPS_A_RUN], seen)

    async def _filed(self, slug: str, source: Source, draft: Draft) -> _Done:
        if draft.reader is not None:
            return await self._of_document(slug, source, draft, draft.reader)
        receipts = await self._file(slug, source, draft.events)
        outcome = counted(receipts, unchanged=draft.unchanged)
        for n, receipt in enumerate(receipts):
            code = code_of(receipt)
            # Of another text with the same id: at this tick it has answered before.
            if code and code != "id-conflict":
                failure = f"/events/{n} of its answer: {reason_of(receipt)}"
                stand = draft.before if is_open(code) else draft.after
                return replace(outcome, failure=failure), stand, None
        return outcome, draft.after, None

    async def _of_document(self, slug: str, source: Source, draft: Draft, reader: Reader) -> _Done:
        events = [event for step in draft.steps for event in step.events]
        first = list(shared_out(draft.steps, await self._file(slug, source, events)))
        others = [_others(reader, step, its) for step, its in first]
        late = iter(await self._file(slug, source, [each for some in others for each in some]))
        seen, told, failure = dict(draft.seen or {}), list[Receipt](), None
        for (step, its), more in zip(first, others, strict=True):
            settled = [*([] if more else its), *islice(late, len(more))]
            told += settled
            fate = fate_of(step, settled)
            if fate is None:
                failure = failure or next(reason_of(each) for each in settled if code_of(each))
            else:
                seen.pop(step.name, None)  # the newest are last
                seen[step.name] = replace(step.seen, fate=fate)
        stand = _again(draft.after) if failure else draft.after
        refused = [reason_of(each) for each in told if code_of(each) and not failure]
        stand = replace(stand, refused=refused[0]) if refused else stand
        outcome = counted(told, unchanged=draft.unchanged)
        return replace(outcome, failure=failure), stand, seen if draft.steps else None

    async def _file(
        self, slug: str, source: Source, events: Sequence[Envelope]
    ) -> Sequence[Receipt]:
        """File *events* as the door does, in their order; return a receipt for each."""
        if not events:
            return ()
        rights = Rights(f"The source {source.name}", ("publish", "correct"), (slug,))
        judged = [judge(_item(event), rights) for event in events]
        ready = [each for each in judged if isinstance(each, Event)]
        filed = iter(await self._checker.file(ready, rights.checks, self._wait))
        receipts = [next(filed) if isinstance(each, Event) else each for each in judged]
        report(receipts, form=f"source {source.kind}", caller=source.uri)
        return receipts


def _steps(reader: Reader, document: Document, seen: Mapping[str, Seen]) -> list[Step]:
    from services.ingest.core.sources.adapters import READERS  # who pulls nothing reads nothing

    return list(reader.steps(READERS[reader.source.kind](document), seen))


def _others(reader: Reader, step: Step, receipts: Sequence[Receipt]) -> Sequence[Envelope]:
    """Return what to file for *step* instead, where the ledger knows another history."""
    codes = filter(None, map(code_of, receipts))
    return next(filter(None, (reader.again(step, code) for code in codes)), ())


def _item(event: Envelope) -> Item:
    if len(orjson.dumps(event)) > MAX_EVENT_BYTES:
        detail = f"it is larger than {MAX_EVENT_BYTES // 1024} KiB, which an event is at most"
        return Item(event, Refused("too-large", detail))
    return Item(event)


def _again(stand: Stand) -> Stand:
    """Return *stand* so that the whole document is asked for the next time."""
    return replace(stand, etag="", modified="")


def _ended(stand: Stand, outcome: Outcome) -> Stand:
    if outcome.failure:
        failures, gone = stand.failures + 1, outcome.gone
        return replace(stand, failures=failures, reason=outcome.failure, gone=gone)
    filed = stand.filed + outcome.filed + outcome.held
    return replace(stand, succeeded=stand.ran, failures=0, reason="", gone=False, filed=filed)


def _tell(slug: str, source: Source, outcome: Outcome) -> None:
    result = "failed" if outcome.failure else "unchanged" if outcome.unchanged else "filed"
    count("writethru_pulls_total", kind=source.kind, result=result)
    if outcome.failure:
        _log.warning("source.failed", article=slug, name=source.name, kind=source.kind)
