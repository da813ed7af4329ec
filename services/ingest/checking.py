"""The desk's checks on the way to the ledger: events → findings → filed, and told of.

Copy is compared with the article's recent updates as far as they are in the ledger, and with what
comes before it in the same request. A process remembers what it has read and reads only what the
ledger has beyond; so whatever is filed with another process counts, but for what two processes
judge in the same moment.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.ingest.append import CLEAN, Appender, Checked
from services.ingest.core.checks.examine import bears_copy, examine, strictest
from services.ingest.core.checks.finding import IN_WORDS
from services.ingest.core.checks.memory import Memory
from services.ingest.rejecting import rejection
from shared.contract.acts import Published, Writethru
from shared.contract.desk import CHECKS, COMPARING, Check, Level, Levels, in_force
from shared.contract.errors import Busy, TryAgain
from shared.contract.events import Event
from shared.contract.receipts import Receipt
from shared.runtime.clock import now
from shared.runtime.durability import Wait
from shared.runtime.keys import FINDINGS
from shared.runtime.lanes import Lanes
from shared.runtime.metrics import count
from shared.runtime.pipe import Command, Pipe
from shared.runtime.redis import refusals

#: Articles that a process remembers, the last ones filed for.
ARTICLES = 500
#: How far back the ledger is read for an article's recent updates.
EVENTS_BACK = 100
PATIENCE_SECONDS = 10.0
#: How many entries the stream of findings keeps, about.
FINDINGS_KEPT = 10_000

_log = structlog.get_logger()

Record = Mapping[str, Any]


@dataclass(slots=True)
class Known:
    """An article as a request finds it: its recent updates, and the levels that it sets."""

    memory: Memory = field(default_factory=Memory)
    levels: Levels = field(default_factory=dict)


class Checker:
    """Files events that were looked at first; with no *levels* it looks at none."""

    def __init__(
        self,
        redis: Redis,
        lanes: Lanes,
        appender: Appender,
        levels: Levels | None,
        pipe: Pipe | None = None,
    ) -> None:
        self._redis = redis
        self._pipe = pipe or Pipe(redis, opens=False)
        self._lanes = lanes
        self._appender = appender
        self._levels = levels
        self._memories: OrderedDict[str, Memory] = OrderedDict()

    async def file(
        self, events: Sequence[Event], key: Levels, wait: Wait | None = None
    ) -> list[Receipt]:
        """Check and file *events* for a key that sets the levels *key*; as `Appender.append`."""
        if self._levels is None or not any(map(bears_copy, events)):
            return await self._appender.append(events, wait=wait)
        try:
            checked = await self._check(events, in_force(self._levels, key, {}))
        except (TryAgain, TimeoutError, RedisError, OSError) as error:
            _log.error("checks.postponed", reason=type(error).__name__)
            fault = Busy("The engine doesn't answer at the moment; nothing was stored.")
            return [rejection(fault, event) for event in events]
        receipts = await self._appender.append(events, checked, wait)
        await self._tell(events, checked, receipts)
        return receipts

    async def _check(self, events: Sequence[Event], levels: Levels) -> list[Checked]:
        """Look at *events*, each after the ones before it, which are taken to be filed."""
        slugs = {event.subject for event in events if bears_copy(event)}
        with refusals():
            async with asyncio.timeout(PATIENCE_SECONDS):
                articles = await self._look_up(slugs, levels)
        checked: list[Checked] = []
        for event in events:
            known = articles.get(event.subject)
            checked.append(CLEAN if known is None else _judged(event, known, levels))
            await asyncio.sleep(0)
        return checked

    async def _look_up(self, slugs: Iterable[str], levels: Levels) -> dict[str, Known]:
        """Ask the ledgers for what is new, and the articles for the levels that they set."""
        slugs = sorted(slugs)
        comparing = _compares(levels)
        reads: list[Command] = []
        for slug in slugs:
            keys = self._lanes.of(slug).article(slug)
            reads.append(("HMGET", keys.article, "seq", "checks"))
            if comparing:
                seq = self._memories[slug].seq if slug in self._memories else -EVENTS_BACK
                last = -1 if seq < 0 else seq + EVENTS_BACK - 1
                reads.append(("LRANGE", keys.ledger, seq, last))
        found = iter(await self._pipe.ask(*reads))
        articles: dict[str, Known] = {}
        for slug in slugs:
            seq, said = _facts(next(found))
            records = next(found) if comparing else None
            own = _levels_of(said)
            if comparing or _compares(in_force(levels, {}, own)):
                memory = await self._remember(slug, seq, records)
            else:
                memory = Memory()
            articles[slug] = Known(memory.copy(), own)
        return articles

    async def _remember(self, slug: str, seq: int, records: Any) -> Memory:
        """Bring the memory of an article up to *seq* by *records*, if those reach so far."""
        memory = self._memories.pop(slug, None) or Memory()
        reach = len(records) if isinstance(records, list) else 0
        if not memory.seq <= seq <= memory.seq + reach:
            memory = Memory()
            records = await self._read_back(slug)
        try:
            for record in map(orjson.loads, records or ()):
                if record["seq"] > memory.seq:
                    memory.take(record["event"])
                    memory.seq = record["seq"]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            _log.error("ledger.damaged", article=slug, reason=type(error).__name__)
            return Memory()  # filing says the rest
        self._memories[slug] = memory
        if len(self._memories) > ARTICLES:
            self._memories.popitem(last=False)
        return memory

    async def _read_back(self, slug: str) -> list[bytes]:
        """Return an article's first event, which says when it was opened, and its last ones."""
        ledger = self._lanes.of(slug).article(slug).ledger
        async with self._redis.pipeline(transaction=False) as reads:
            reads.lrange(ledger, 0, 0)
            reads.lrange(ledger, -EVENTS_BACK, -1)
            first, last = await reads.execute(raise_on_error=False)
        return [] if isinstance(first, Exception) or isinstance(last, Exception) else first + last

    async def _tell(
        self, events: Sequence[Event], checked: Sequence[Checked], receipts: Sequence[Receipt]
    ) -> None:
        """Count findings, and put those of what was stored on their stream, without words of it."""
        told: list[dict[Any, Any]] = []
        for event, of, receipt in zip(events, checked, receipts, strict=True):
            refused = of.refuse and receipt.problem and receipt.problem["code"] == "invalid"
            if receipt.status not in ("accepted", "held") and not refused:
                continue
            for finding in of.findings:
                count("writethru_findings_total", check=finding["check"], level=finding["level"])
            if of.findings and not refused:
                told.append(_entry(event, of, receipt))
        if told:
            await self._send(told)

    async def _send(self, told: Sequence[dict[Any, Any]]) -> None:
        """Append to the stream. The receipts have it all, so a failure only costs the stream."""
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self._redis.pipeline(transaction=False) as writes,
            ):
                for fields in told:
                    writes.xadd(FINDINGS, fields, maxlen=FINDINGS_KEPT)
                await writes.execute()
        except (TimeoutError, RedisError, OSError) as error:
            _log.warning("findings.untold", reason=type(error).__name__, count=len(told))


def _judged(event: Event, known: Known, levels: Levels) -> Checked:
    """Look at one event, and take it in as the ones after it will find it."""
    act = event.act
    if isinstance(act, Published | Writethru) and "checks" in act.model_fields_set:
        known.levels = act.checks or {}
    own = in_force(levels, {}, known.levels)
    found = examine(event, known.memory, own, now())
    strict = strictest(found, own)
    if strict != "refuse" and _compares(own):
        known.memory.take(event.envelope)
    findings = [each.to_json(own[each.check]) for each in found]
    return Checked(findings, wait=strict == "hold", refuse=strict == "refuse")


def _compares(levels: Levels) -> bool:
    return any(levels[check] != "off" for check in COMPARING)


def _facts(found: Any) -> tuple[int, bytes | None]:
    """Return an article's seq and what it says of checks; what can't be read is none."""
    if isinstance(found, Exception):
        return 0, None
    seq, said = found
    return int(seq or 0), said


def _levels_of(said: bytes | None) -> dict[Check, Level]:
    """Read what an article sets; ingest checked it when it was filed."""
    levels: dict[Check, Level] = orjson.loads(said) if said else {}
    return {check: level for check, level in levels.items() if check in CHECKS}


def _entry(event: Event, checked: Checked, receipt: Receipt) -> dict[Any, Any]:
    bare = [
        {name: fact for name, fact in finding.items() if name not in IN_WORDS}
        for finding in checked.findings
    ]
    return {
        "article": event.subject,
        "id": event.id,
        "source": event.source,
        "update_id": event.update_id or "",
        "status": receipt.status,
        "seq": receipt.seq or "",
        "findings": orjson.dumps(bare),
    }
