"""From an article's ledger to its committed state, whatever comes between.

A render folds all that the ledger has beyond the committed version; it never folds "the message
it got". So order, duplicates, lost wake-ups and other renderers at work can't hurt: what was
overtaken writes nothing, and starts over from what is there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal
from weakref import WeakValueDictionary

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.render import quarantine
from services.render.archiving import drop_obsolete
from services.render.commit import Commit
from services.render.core.filed import FIELDS, Filed, follows, read_filed
from services.render.core.trust import Trust
from services.render.core.wakeups import Wakeup
from services.render.core.writes import (
    InconsistentError,
    Stored,
    Writes,
    continuing,
    heads,
    plan,
    portions,
    remember,
    replacing,
    touched_pages,
)
from services.render.fields import read_at, read_updates
from services.render.ledger import ENTRIES_A_ROUND, filed_of, look
from services.render.refolding import Refolded, refold
from shared.article.article import Body, Head
from shared.article.fold import FOLD_REVISION, fold, named
from shared.article.stored import load_entry, load_head
from shared.contract.tracing import Trace, traces_in
from shared.runtime.archive import Archive
from shared.runtime.failpoints import failpoint
from shared.runtime.keys import RENDER_GROUP, ArticleKeys
from shared.runtime.lanes import Lanes
from shared.runtime.scripts import Script
from shared.runtime.traces import traced

#: Pages of a warm article that are kept at hand: the last one, and where corrections go.
WARM_PAGES = 4
#: A render that is overtaken so often leaves the article to those who overtake it.
TRIES = 20

log = structlog.get_logger()

Step = Literal["done", "more", "again"]


class Store:
    """Renders articles; keeps the *warm* ones that it touched last at hand."""

    def __init__(
        self, redis: Redis, lanes: Lanes, warm: int = 1_000, archive: Archive | None = None
    ) -> None:
        self._redis = redis
        self._archive = archive
        self._lanes = lanes
        self._warm: OrderedDict[str, Stored] = OrderedDict()
        self._warm_limit = warm
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.trust = {lane.tag: Trust() for lane in lanes}
        """Of each lane, by its tag, whether our fold may commit there."""
        self._commit = Script("services.render", "commit.lua")
        self._ahead = Script("services.render", "ahead.lua")
        self._withdraw = Script("services.render", "withdraw.lua")

    async def render(self, slug: str, wakeups: Sequence[Wakeup] = ()) -> None:
        """Bring *slug* up to its ledger, and ack those of *wakeups* that it covers then.

        Raises:
            RedisError: the engine refused or stayed silent; nothing is half-written.
            LedgerError, DistrustedError: see there.
        """
        keys = self._lanes.of(slug).article(slug)
        async with self._turns.setdefault(slug, asyncio.Lock()):
            failures = 0
            while failures < TRIES:
                step = await self._step(keys, wakeups)
                if step == "done":
                    return
                failures = failures + 1 if step == "again" else 0
            log.info("article.left_to_others", article=slug)

    async def rebuild(self, slug: str) -> Refolded | None:
        """Fold *slug* from its first event, and replace all that is stored, by a newer fold too.

        Return what came of it; None if it changes so fast that others have to render it.

        Raises:
            RedisError, LedgerError, DistrustedError: as `render`.
        """
        keys = self._lanes.of(slug).article(slug)
        async with self._turns.setdefault(slug, asyncio.Lock()):
            for _ in range(TRIES):
                filed = await filed_of(self._redis, keys)
                made = await refold(self._redis, keys, filed)
                if made and await self._replace(keys, filed, made, (), force=True) == "done":
                    return made
        return None

    async def _step(self, keys: ArticleKeys, wakeups: Sequence[Wakeup]) -> Step:
        """Take one round of entries, from a warm article if there is one."""
        before = self._warm.pop(keys.slug, None) or await self._load(keys)
        if before is None:
            return await self._replay(keys, wakeups)
        filed, records = await look(self._redis, keys, before.head.version)
        if filed.rev > FOLD_REVISION:
            return await self._settle(keys, filed, Stored(before.head), wakeups)
        if not filed.at(before.head):
            return "again"
        if not records and filed.seq == filed.version:
            return await self._settle(keys, filed, before, wakeups)
        if not records or not follows(before.head, records[0]):
            log.warning("article.diverged", article=keys.slug, version=filed.version)
            return await self._replay(keys, wakeups)
        to, traces = before.head.version + len(records), traces_in(records)
        with traced("article render", traces, article=keys.slug, version=to) as trace:
            return await self._advance(keys, filed, before, records, wakeups, trace)

    async def _advance(
        self,
        keys: ArticleKeys,
        filed: Filed,
        before: Stored,
        records: Sequence[bytes],
        wakeups: Sequence[Wakeup],
        trace: Trace | None,
    ) -> Step:
        """Fold *records* and commit what comes of it, which belongs to *trace*."""
        try:
            writes = await self._fold(keys, before, records)
        except InconsistentError as error:
            if not (await filed_of(self._redis, keys)).at(before.head):
                return "again"
            log.warning("article.damaged", article=keys.slug, reason=str(error))
            return await self._replay(keys, wakeups)
        writes = replace(writes, traceparent=trace.parent if trace else None)
        seqs = range(before.head.version + 1, writes.head.version + 1)
        self.trust[keys.lane.tag].judge(keys.slug, seqs, writes.failed)
        commit = await self._make_current(keys, filed, writes, wakeups)
        if commit.result != "committed":
            return "again"
        commit.measure(records[0])
        quarantine.report(writes.head, before.head.quarantined)
        self._keep_warm(keys.slug, remember(before, writes, WARM_PAGES))
        return "more" if len(records) == ENTRIES_A_ROUND else "done"

    async def _replay(self, keys: ArticleKeys, wakeups: Sequence[Wakeup]) -> Step:
        """Fold the whole ledger, and replace what is stored."""
        filed = await filed_of(self._redis, keys)
        if filed.rev > FOLD_REVISION:
            return await self._settle(keys, filed, Stored(Head(keys.slug)), wakeups)
        made = await refold(self._redis, keys, filed)
        return await self._replace(keys, filed, made, wakeups) if made else "again"

    async def _replace(
        self,
        keys: ArticleKeys,
        filed: Filed,
        made: Refolded,
        wakeups: Sequence[Wakeup],
        *,
        force: bool = False,
    ) -> Step:
        """Put *made* in place of what is stored."""
        head = made.article.head
        fields: Any = await self._redis.hkeys(keys.updates)
        names = [name.decode() for name in fields]
        writes = replacing(made.article, names, made.new, force=force)
        writes = replace(writes, failed=made.failed)
        # What was marked by another fold counts as ours: it may have been given back for that.
        told = await quarantine.told_of(self._redis, keys) if filed.rev == FOLD_REVISION else ()
        seqs = [seq for seq in range(1, head.version + 1) if seq not in told]
        self.trust[keys.lane.tag].judge(keys.slug, seqs, made.failed)
        if (await self._make_current(keys, filed, writes, wakeups)).result != "committed":
            return "again"
        quarantine.report(writes.head, told)
        log.info("article.rebuilt", article=keys.slug, version=head.version)
        return "done"

    async def _settle(
        self, keys: ArticleKeys, filed: Filed, before: Stored, wakeups: Sequence[Wakeup]
    ) -> Step:
        """Ack what is covered: there is nothing to render, or a newer renderer does it."""
        writes = Writes(before.head)
        commit = await self._run_commit(keys, filed, writes, filed.version, filed.chain, wakeups)
        if commit.result == "acked":
            self._keep_warm(keys.slug, before)
        return "done" if commit.result in ("acked", "newer") else "again"

    async def _load(self, keys: ArticleKeys) -> Stored | None:
        """Read what is committed; None if that is of an older fold or does not fit together."""
        async with self._redis.pipeline(transaction=True) as step:
            step.hmget(keys.article, FIELDS)
            step.hmget(keys.state, "head", "body")
            facts, (head, body) = await step.execute()
        filed = read_filed(facts)
        if not filed.version and head is None:
            return Stored(Head(keys.slug))
        try:
            stored = Stored(load_head(head or b""), body and body.decode())
        except ValueError:
            return None
        return stored if filed.at(stored.head) else None

    async def _fold(self, keys: ArticleKeys, before: Stored, records: Sequence[bytes]) -> Writes:
        """Fold *records*, reading the updates that they name and the pages that change."""
        entries = [load_entry(record) for record in records]
        names = sorted(named(entries, before.head))
        refs = await read_at(self._redis, keys, before.head, keys.updates, names)
        known = await read_updates(self._redis, keys, refs)
        folded = fold(before.head, Body(), known, entries)
        missing = touched_pages(before.head, folded) - before.pages.keys()
        numbers = [str(page) for page in sorted(missing)]
        pages = await read_at(self._redis, keys, before.head, keys.pages, numbers)
        read = {int(page): tuple(line.split()) for page, line in pages.items()}
        before = Stored(before.head, before.body, {**before.pages, **read})
        return continuing(before, folded, refs, entries)

    async def _make_current(
        self, keys: ArticleKeys, filed: Filed, writes: Writes, wakeups: Sequence[Wakeup]
    ) -> Commit:
        """Write the bytes, then commit; take the bytes back if the commit did not come about."""
        head = writes.head
        failpoint("render.before_commit")
        try:
            if await self._write_ahead(keys, filed, writes):
                to = head.version, head.chain
                commit = await self._run_commit(keys, filed, writes, *to, wakeups)
            else:
                commit = Commit.counted((b"stale", b"", b""))
        except ResponseError:
            await self._take_back(keys, writes)
            raise
        if commit.result == "committed":
            failpoint("render.after_commit")
            log.debug("article.rendered", article=head.slug, version=head.version)
            if writes.failed and (trust := self.trust[keys.lane.tag]).stopped:
                trust.suspects.add(head.slug)  # it was stopped while this was under way
            if self._archive and (writes.replace or head.status == "killed"):
                await drop_obsolete(self._redis, keys, self._archive)
        elif commit.result != "missing":
            await self._take_back(keys, writes)
        return commit

    async def _write_ahead(self, keys: ArticleKeys, filed: Filed, writes: Writes) -> bool:
        """Write the bytes; return False, at the first that come too late, if we were overtaken."""
        for some in portions(writes.ahead):
            words = [filed.version, filed.chain, *some]
            if not await self._ahead.run(self._redis, [keys.article, keys.updates], words):
                return False
        return True

    async def _take_back(self, keys: ArticleKeys, writes: Writes) -> None:
        if writes.ahead:
            await self._withdraw.run(self._redis, [keys.updates, keys.state], list(writes.ahead))

    async def _run_commit(
        self,
        keys: ArticleKeys,
        filed: Filed,
        writes: Writes,
        to: int,
        chain: str,
        wakeups: Sequence[Wakeup],
    ) -> Commit:
        answer = await self._commit.run(
            self._redis,
            keys.committing,
            [
                *(keys.slug, filed.version, filed.chain, to, chain),
                *(*heads(writes), plan(writes, RENDER_GROUP, wakeups)),
            ],
        )
        return Commit.counted(answer)

    def _keep_warm(self, slug: str, stored: Stored) -> None:
        self._warm[slug] = stored
        if len(self._warm) > self._warm_limit:
            self._warm.popitem(last=False)
