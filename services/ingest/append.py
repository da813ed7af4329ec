"""Events → the ledger, through append.lua: in order, once, and with a receipt for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.ingest.core.holding import CHECK, REFUSE, due_ms
from services.ingest.core.legality import explain
from services.ingest.counting import count_event
from services.ingest.masks import Masks
from services.ingest.pressure import Pressure
from services.ingest.rejecting import rejection, report_failed
from shared.article.dates import rfc3339
from shared.contract.acts import Redacted
from shared.contract.canonical import fingerprint
from shared.contract.errors import (
    Busy,
    FieldError,
    InvalidEvent,
    OutcomeUnknown,
    Refused,
    TryAgain,
)
from shared.contract.events import Event
from shared.contract.receipts import Receipt
from shared.contract.tracing import trace_of
from shared.runtime.archive import Archive, ArchiveError
from shared.runtime.clock import monotonic, now
from shared.runtime.confirming import run_confirmed
from shared.runtime.durability import Wait
from shared.runtime.failpoints import failpoint
from shared.runtime.installation import Installation
from shared.runtime.keys import Lane
from shared.runtime.metrics import observe
from shared.runtime.pipe import Pipe
from shared.runtime.redis import SILENT, refusals
from shared.runtime.restore import Restorer
from shared.runtime.scripts import Call, Script
from shared.runtime.traces import traced

#: The files of the script that files one event.
APPEND = ("filing.lua", "append.lua")
_STORED = ("accepted", "duplicate", "held")
#: Events in one step. The engine does nothing else meanwhile, so it is some milliseconds' worth.
STEP_EVENTS = 100
#: More than an engine takes to restart, less than publishers wait for an answer.
PATIENCE_SECONDS = 10.0

UNREADABLE = "The article is archived and can't be brought back at the moment; send it again later."

_log = structlog.get_logger()


class Checked(NamedTuple):
    """What desk checks found in an event, and whether it has to *wait* for an editor, or to go."""

    findings: Sequence[Mapping[str, Any]] = ()
    wait: bool = False
    refuse: bool = False

    @property
    def stop(self) -> str:
        """What it means to append.lua."""
        return REFUSE if self.refuse else CHECK if self.wait else ""

    def refusal(self) -> InvalidEvent:
        """Return the problem of an event that is refused for what was found in it."""
        grave = [each for each in self.findings if each["level"] == "refuse"]
        names = ", ".join(dict.fromkeys(each["check"] for each in grave))
        errors = [
            FieldError(each["pointer"], f"{each['check']}: {each['detail']}") for each in grave
        ]
        return InvalidEvent(errors, f"The desk's checks refuse this copy ({names}); see errors.")


CLEAN = Checked()
_Item = tuple[Event, Checked]


class Appender:
    """Files events of any articles; a write alone is kept at *durability*."""

    def __init__(
        self,
        redis: Redis,
        installation: Installation,
        durability: str,
        archive: Archive | None = None,
        pressure: Pressure | None = None,
        pipe: Pipe | None = None,
    ) -> None:
        self._redis = redis
        self._pressure = pressure
        self._restorer = Restorer(redis, archive)
        self._installation = installation
        self._durability = durability
        self._script = Script("services.ingest", *APPEND, pipe=pipe)

    async def append(
        self,
        events: Sequence[Event],
        checked: Sequence[Checked] = (),
        wait: Wait | None = None,
    ) -> list[Receipt]:
        """File *events*, each judged after the ones before it; return their receipts in order.

        *checked* says what was found in each, if anything was looked for; each step has to be
        confirmed by *wait* before there are receipts for it.

        Articles don't wait for each other. Once the engine fails an article, nothing later of its
        lane is sent, so that no event overtakes another.
        """
        items = list(zip(events, checked or repeat(CLEAN), strict=False))
        later = dict(self._pressure.refusals(events)) if self._pressure else {}
        places: dict[Lane, list[int]] = {}
        for place, event in enumerate(events):
            if place not in later:
                places.setdefault(self._installation.lanes.of(event.subject), []).append(place)
        lanes = [self._append(lane, [items[n] for n in at], wait) for lane, at in places.items()]
        receipts = {place: rejection(fault, events[place]) for place, fault in later.items()}
        traces = [trace for event in events if (trace := trace_of(event.envelope))]
        with traced("events append", traces, events=len(events)):
            # What goes to one lane needs no task of its own.
            done = [await lanes[0]] if len(lanes) == 1 else await asyncio.gather(*lanes)
        for at, found in zip(places.values(), done, strict=True):
            receipts.update(zip(at, found, strict=True))
        if self._pressure:
            self._pressure.stored(sum(each.status == "accepted" for each in receipts.values()))
        for place, event in enumerate(events):
            count_event(event.type, receipts[place])
        return [receipts[place] for place in range(len(events))]

    async def _append(self, lane: Lane, items: Sequence[_Item], wait: Wait | None) -> list[Receipt]:
        receipts: list[Receipt] = []
        for step in steps(items):
            try:
                receipts += await self._step(lane, step, wait)
                # A later event of an article that could not be brought back must not overtake.
                if len(receipts) < len(items) and any(map(_is_busy, receipts)):
                    raise Busy(UNREADABLE)
            except TryAgain as error:
                rest = [event for event, _ in items[len(receipts) :]]
                report_failed(rest, error.__cause__ or error)
                return receipts + [rejection(error, event) for event in rest]
        return receipts

    async def _step(self, lane: Lane, items: Sequence[_Item], wait: Wait | None) -> list[Receipt]:
        calls = [self._call(lane, *item) for item in items]
        began = monotonic()
        failpoint("ingest.before_append")
        try:
            with refusals():
                async with asyncio.timeout(PATIENCE_SECONDS):
                    replies = await self._replies(lane, items, calls, wait)
                    await self._bring_back(lane, items, calls, replies, wait)
        except TimeoutError as error:
            raise OutcomeUnknown(SILENT) from error
        except ResponseError as error:
            raise Busy("The engine takes no writes at the moment; nothing was stored.") from error
        finally:
            observe("writethru_append_seconds", monotonic() - began)
        failpoint("ingest.after_append")
        level = wait.level if wait else self._durability
        return [
            self._receipt(*item, reply, level) for item, reply in zip(items, replies, strict=True)
        ]

    async def _bring_back(
        self,
        lane: Lane,
        items: Sequence[_Item],
        calls: Sequence[Call],
        replies: list[Any],
        wait: Wait | None,
    ) -> None:
        """Bring back those articles that are archived, and file again what was for them."""
        while places := [n for n, reply in enumerate(replies) if _is_archived(reply)]:
            slugs = {items[n][0].subject for n in places}
            lost = {slug for slug in slugs if not await self._restored(lane, slug)}
            for n in places:
                if items[n][0].subject in lost:
                    replies[n] = Busy(UNREADABLE)
            places = [n for n in places if items[n][0].subject not in lost]
            if places:
                again = [items[n] for n in places], [calls[n] for n in places]
                found = await self._replies(lane, *again, wait)
                for n, reply in zip(places, found, strict=True):
                    replies[n] = reply

    async def _restored(self, lane: Lane, slug: str) -> bool:
        try:
            await self._restorer.restore(lane.article(slug))
        except ArchiveError as error:
            _log.error("restore.failed", article=slug, reason=str(error))
            return False
        return True

    async def _replies(
        self, lane: Lane, items: Sequence[_Item], calls: Sequence[Call], wait: Wait | None
    ) -> list[Any]:
        event, _ = items[0]
        if not isinstance(event.act, Redacted):
            return await self._run(lane, calls, wait)
        [(keys, words)] = calls
        masks = Masks(self._redis, lane.article(event.subject), event.act.update_id)
        while True:
            masked = [*words, *await masks.read_on()]
            replies = await self._run(lane, [(keys, masked)], wait)
            if replies != [[b"again"]]:
                return replies

    async def _run(self, lane: Lane, calls: Sequence[Call], wait: Wait | None) -> list[Any]:
        """Run them in one step, and in one round trip, whether or not it is waited for more."""
        if wait is None:
            return await self._script.run_all(self._redis, calls)
        return await run_confirmed(self._redis, self._script, calls, lane.awaited, wait)

    def _call(self, lane: Lane, event: Event, checked: Checked) -> Call:
        clocked = event.time is None
        envelope = {**event.envelope, "time": rfc3339(now())} if clocked else event.envelope
        return (
            lane.article(event.subject).filing,
            (
                event.subject,
                f"{event.id} {event.source}",
                fingerprint(self._installation.key, event.envelope),
                event.type.removeprefix("writethru."),
                event.update_id or "",
                "" if event.baseversion is None else event.baseversion,
                "true" if clocked else "false",
                orjson.dumps(envelope),
                due_ms(event),
                checked.stop,
                orjson.dumps(checked.findings),
            ),
        )

    def _receipt(self, event: Event, checked: Checked, reply: Any, level: str) -> Receipt:
        if isinstance(reply, Busy):
            return rejection(reply, event)
        if isinstance(reply, Exception):
            report_failed([event], reply)
            fault = Busy("The article's records are damaged, so nothing was stored; see the logs.")
            return rejection(fault, event)
        code, *facts = (part.decode() for part in reply)
        if code == "invalid":
            return rejection(checked.refusal(), event)
        if code not in _STORED:
            seq = int(facts[0]) if facts[0].isdigit() else None
            return rejection(Refused(code, explain(code, event, seq)), event)
        seq, chain = facts if len(facts) == 2 else (None, None)
        return Receipt(
            status=code,
            id=event.id,
            source=event.source,
            article=event.subject,
            seq=int(seq) if seq else None,
            chain=chain,
            durability=level,
            held=facts == ["held"],
            spiked=facts == ["spiked"],
            findings=() if code == "duplicate" else checked.findings,
        )


def _is_archived(reply: Any) -> bool:
    return isinstance(reply, list) and reply[0] == b"archived"


def _is_busy(receipt: Receipt) -> bool:
    return bool(receipt.problem and receipt.problem["code"] == Busy.code)


def steps(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """Cut *items* into what goes to the engine at once; a redaction goes alone."""
    start = 0
    for end, (event, _) in enumerate(items):
        alone = isinstance(event.act, Redacted)
        if end > start and (alone or end - start == STEP_EVENTS):
            yield items[start:end]
            start = end
        if alone:
            yield items[end : end + 1]
            start = end + 1
    if items[start:]:
        yield items[start:]
