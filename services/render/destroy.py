"""Redacted text, destroyed wherever the engine still has it once its ledger entry is masked.

The redaction itself masks the ledger, in one step with its own place there, and leaves a note of
what is to be done. Here it is done: written-ahead bytes go, entries of streams are masked, and the
append-only file is written anew, for it holds every command that ever brought the text. Each step
may be repeated, and the note goes last, so it doesn't matter who dies where.

Before it goes, replicas have all that was done, and it is looked at once more: an engine that took
over earlier may lack some of it, and one that takes over later lacks nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.render.core.redactions import Redaction, forms_of, found_in
from services.render.rewrite import rewrite_files
from shared.runtime.keys import REFUSED, ArticleKeys, Lane, beside
from shared.runtime.lanes import Lanes
from shared.runtime.lease import Lease
from shared.runtime.metrics import count
from shared.runtime.scripts import Script

ENTRIES_A_READ = 200
PAUSE_SECONDS = 1.0

log = structlog.get_logger()


class NotYetError(Exception):
    """Something has to happen first; the note stays, and it is tried again."""


class Destroyer:
    """Does what redactions have left to do, while it has *lease*."""

    def __init__(self, redis: Redis, lanes: Lanes, lease: Lease) -> None:
        self._redis = redis
        self._lanes = lanes
        self._lease = lease
        self._shed = Script("services.render", "shed.lua")
        self._withdraw = Script("services.render", "withdraw.lua")

    async def run(self) -> None:
        """Look for work until cancelled; the engine's troubles are waited out."""
        keeping = asyncio.create_task(self._lease.keep())
        try:
            while True:
                await asyncio.sleep(PAUSE_SECONDS)
                if self._lease.held:
                    await self.destroy()
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def destroy(self) -> None:
        """Do all that can be done now."""
        for lane in self._lanes:
            try:
                for note in await self._notes(lane):
                    await self._try(lane, note)
            except (RedisError, OSError) as error:
                log.warning("redaction.postponed", lane=lane.tag, reason=str(error))

    async def _notes(self, lane: Lane) -> list[str]:
        found: Any = await self._redis.smembers(lane.redactions)
        return sorted(note.decode() for note in found)

    async def _try(self, lane: Lane, note: str) -> None:
        """Carry out one; others don't wait for an article that is not rendered yet."""
        try:
            await self._carry_out(lane, note)
        except NotYetError as reason:
            log.info("redaction.postponed", lane=lane.tag, reason=str(reason))

    async def _carry_out(self, lane: Lane, note: str) -> None:
        slug, _, seq = note.rpartition(" ")
        masked = await self._mask_all(lane, slug, int(seq))
        rewritten = await rewrite_files(self._redis)
        if await self._mask_all(lane, slug, int(seq)):
            raise NotYetError("another engine has taken over, and has some of the text still")
        await self._redis.srem(lane.redactions, note)
        count("writethru_redactions_total")
        log.info("redaction.completed", article=slug, seq=int(seq), entries=masked, file=rewritten)

    async def _mask_all(self, lane: Lane, slug: str, seq: int) -> int:
        """Remove the text from where readers and streams have it; return how many places had.

        Raises:
            NotYetError: no renderer has come to the redaction yet.
        """
        if seq <= 0:
            return 0  # it was never released, so nobody has it but the engine's file
        keys = lane.article(slug)
        if int(await self._redis.hget(keys.article, "version") or 0) < seq:
            raise NotYetError("the page has the text still")
        redaction = await self._read(keys, seq)
        gone = await self._forget_bytes(keys, redaction)
        masked = await self._mask(lane.events, redaction)
        return gone + masked + await self._mask(REFUSED, redaction)

    async def _read(self, keys: ArticleKeys, seq: int) -> Redaction:
        """Read the redaction, and of the ledger what it has masked.

        Raises:
            NotYetError: it is not there, so it was lost in a failover after we heard of it.
        """
        try:
            redaction = Redaction(keys.slug, await self._record(keys, seq))
        except (ValueError, LookupError, TypeError):
            raise NotYetError("the ledger does not have the redaction") from None
        start = 0
        while records := await self._records(keys, start):
            redaction.look(records)
            start += len(records)
            await asyncio.sleep(0)
        return redaction

    async def _record(self, keys: ArticleKeys, seq: int) -> bytes:
        found: Any = await self._redis.lindex(keys.ledger, seq - 1)
        return bytes(found)  # TypeError where there is none

    async def _records(self, keys: ArticleKeys, start: int) -> list[bytes]:
        found: Any = await self._redis.lrange(keys.ledger, start, start + ENTRIES_A_READ - 1)
        return list(found)

    async def _forget_bytes(self, keys: ArticleKeys, redaction: Redaction) -> int:
        """Remove forms of the update that a renderer wrote ahead, and died before its commit.

        Which one is current is asked in the same step: another redaction may change that.
        """
        names: Any = await self._redis.hkeys(keys.updates)
        forms = forms_of(redaction.update_id, names)
        return int(await self._withdraw.run(self._redis, [keys.updates, keys.state], forms))

    async def _mask(self, stream: str, redaction: Redaction) -> int:
        """Mask the entries of *stream* that hold the text; return how many."""
        masks: list[bytes] = []
        async for entry_id, fields in self._entries(stream):
            if data := found_in(redaction, fields):
                masks += (entry_id, data)
        if masks:
            await self._shed.run(self._redis, [stream, beside(stream)], masks)
        return len(masks) // 2

    async def _entries(self, stream: str) -> AsyncIterator[tuple[bytes, Mapping[bytes, bytes]]]:
        start = "-"
        while True:
            entries: Any = await self._redis.xrange(stream, start, "+", count=ENTRIES_A_READ)
            for entry_id, fields in entries:
                yield entry_id, fields
            if len(entries) < ENTRIES_A_READ:
                return
            start = f"({entries[-1][0].decode()}"
