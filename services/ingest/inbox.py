"""`writethru:inbox`: events that systems beside us append to a stream, filed in its order.

One process at a time reads it, under a lease, and all share one consumer's name: whoever comes
next finds what was taken and not settled, and begins with that. An entry is settled, which takes it
out of the stream, only when its event is stored or refused for good; one whose outcome is open
stays, and keeps back the later ones of its article, not those of others. So nothing is lost or
overtaken, and what is filed twice is a duplicate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.ingest.checking import Checker
from services.ingest.core.bodies import Item, read_event
from services.ingest.judging import judge, report
from shared.contract.access import INBOX_WRITERS
from shared.contract.errors import Refused
from shared.contract.events import MAX_EVENT_BYTES, Event
from shared.contract.receipts import Receipt
from shared.runtime.durability import Wait
from shared.runtime.failpoints import failpoint
from shared.runtime.health import Check
from shared.runtime.keys import INBOX, INBOX_GROUP, REFUSED
from shared.runtime.lease import Lease
from shared.runtime.problems import RETRY_AFTER
from shared.runtime.redis import BLOCK_MILLISECONDS

CONSUMER = "inbox"
ENTRIES_A_BATCH = 100
#: How many refused entries are kept, about.
REFUSED_KEPT = 10_000
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 10.0

_log = structlog.get_logger()


class Entry(NamedTuple):
    """One entry of the stream; one that somebody has deleted meanwhile has no *fields*."""

    entry_id: bytes
    fields: Mapping[bytes, bytes] | None


class Inbox:
    """Reads the inbox while it has *lease*; its events go the way of those that come by HTTP.

    *wait* confirms the installation's level.
    """

    def __init__(
        self, redis: Redis, checker: Checker, lease: Lease, wait: Wait | None = None
    ) -> None:
        self._redis = redis
        self._checker = checker
        self._lease = lease
        self._wait = wait
        self._fault: str | None = None

    async def run(self) -> None:
        """Read until cancelled; whatever fails is tried again, ever more seldom."""
        keeping = asyncio.create_task(self._lease.keep())
        pause = FIRST_PAUSE_SECONDS
        try:
            while True:
                well = await self._try()
                pause = FIRST_PAUSE_SECONDS if well else min(pause * 2, LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    def check(self) -> Check:
        """Say for `/readyz` whether the inbox is read."""
        return Check(self._fault is None, self._fault or "is read")

    async def _try(self) -> bool:
        """File what there is while the lease lasts; return whether nothing is left to try again."""
        behind = set[str]()
        try:
            if self._lease.held:
                await self._make_group()
                await self._file_all(behind)
            else:
                self._fault = None  # it is another's to read
        except (RedisError, OSError) as error:
            self._fault = f"can't be read ({error})"
            _log.warning("inbox.postponed", reason=str(error))
        except Exception as error:  # noqa: BLE001 -- a fault of ours must not end it for good
            self._fault = f"fails ({type(error).__name__})"
            _log.error("inbox.failed", reason=type(error).__name__)
        return not behind and self._fault is None

    async def _make_group(self) -> None:
        """Make the group, from the stream's beginning, if it is missing."""
        try:
            await self._redis.xgroup_create(INBOX, INBOX_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _file_all(self, behind: set[str]) -> None:
        """File what there is and what comes, from the first that isn't settled on.

        Returns when the lease is gone, or when there are articles *behind*: those with an event
        that has to be tried again.
        """
        last = b"0"
        while self._lease.held:
            if entries := await self._read(last):
                if self._lease.held:  # reading may have taken long
                    last = entries[-1].entry_id
                    await self._take(entries, behind)
            elif not await self._read(b">", None if behind else BLOCK_MILLISECONDS) and behind:
                return

    async def _read(self, after: bytes, block: int | None = None) -> list[Entry]:
        """Return what was taken *after* that id and not settled; with ``>``, take what is new."""
        found: Any = await self._redis.xreadgroup(
            INBOX_GROUP, CONSUMER, {INBOX: after}, count=ENTRIES_A_BATCH, block=block
        )
        self._fault = None
        return [Entry(*entry) for _, entries in found for entry in entries]

    async def _take(self, entries: Sequence[Entry], behind: set[str]) -> None:
        """File *entries* but those of articles *behind*, to which others may come, and settle."""
        taken: list[tuple[Entry, Event | Receipt]] = []
        for entry in entries:
            verdict = await _judged(entry)
            if not (isinstance(verdict, Event) and verdict.subject in behind):
                taken.append((entry, verdict))
        events = [verdict for _, verdict in taken if isinstance(verdict, Event)]
        filed = iter(await self._checker.file(events, INBOX_WRITERS.checks, self._wait))
        receipts = [(each, next(filed) if isinstance(of, Event) else of) for each, of in taken]
        report([receipt for _, receipt in receipts], form="inbox")
        behind |= {receipt.article or "" for _, receipt in receipts if is_open(receipt)}
        await self._settle([each for each in receipts if not is_open(each[1])])

    async def _settle(self, entries: Sequence[tuple[Entry, Receipt]]) -> None:
        """Take *entries* out of the stream; what was refused is put where it can be found."""
        failpoint("ingest.before_settle")
        async with self._redis.pipeline(transaction=False) as keep:
            for entry, receipt in entries:
                if receipt.problem is not None:
                    keep.xadd(REFUSED, refused(entry, receipt.problem), maxlen=REFUSED_KEPT)
            await keep.execute()
        async with self._redis.pipeline(transaction=True) as step:
            for entry, _ in entries:
                step.xack(INBOX, INBOX_GROUP, entry.entry_id)
                step.xdel(INBOX, entry.entry_id)
            await step.execute()


async def _judged(entry: Entry) -> Event | Receipt:
    """Judge one entry, and let others have their turn."""
    await asyncio.sleep(0)
    return judge(item_of(entry), INBOX_WRITERS)


def item_of(entry: Entry) -> Item:
    """Read the event in *entry*."""
    data = (entry.fields or {}).get(b"data")
    if data is None:
        detail = "The entry has no field data; append it with the envelope as JSON in that field."
        return Item(refusal=Refused("malformed", detail))
    try:
        return Item(read_event(data))
    except Refused as refusal:
        return Item(refusal=refusal)


def is_open(receipt: Receipt) -> bool:
    """Whether nobody knows what became of the event, or nothing did through no fault of its."""
    return receipt.problem is not None and receipt.problem["code"] in RETRY_AFTER


def refused(entry: Entry, problem: Mapping[str, Any]) -> dict[Any, Any]:
    """Return the fields that tell of a refused *entry*; what is no event's size is cut off."""
    data = (entry.fields or {}).get(b"data", b"")
    return {
        "data": data[:MAX_EVENT_BYTES],
        "problem": orjson.dumps(problem),
        "entry": entry.entry_id,
    }
