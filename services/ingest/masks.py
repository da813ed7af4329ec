"""What a redaction puts in place of the entries that hold the text: read before it is filed.

The script changes the ledger only where it still ends where it was read to, so no entry that came
meanwhile is left out. Where it ends is said by the chain: after a failover there may be another
history of the same length.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from services.ingest.core.redacting import names, redacted
from shared.runtime.keys import ArticleKeys
from shared.runtime.scripts import Argument

ENTRIES_A_READ = 200


class Masks:
    """The entries about *update_id* in the ledger of *keys*, masked, as far as they were read."""

    def __init__(self, redis: Redis, keys: ArticleKeys, update_id: str) -> None:
        self._redis = redis
        self._keys = keys
        self._update_id = update_id
        self._forget()

    def _forget(self) -> None:
        self._read, self._last, self._chain = 0, b"", ""
        self._found: dict[int, bytes] = {}

    async def read_on(self) -> list[Argument]:
        """Read what was filed since; return append.lua's words: a chain, seqs and entries."""
        while records := await self._records():
            for seq, record in enumerate(records, start=self._read + 1):
                if names(record, self._update_id):
                    self._found[seq] = record
            self._read += len(records)
            self._last = records[-1]
        by = self._read + 1
        masks = ((seq, redacted(record, by)) for seq, record in self._found.items())
        return [self._chain, *(word for mask in masks for word in mask)]

    async def _records(self) -> list[bytes]:
        """Return entries after those that were read; from the first, if those are not there now."""
        while True:
            start, end = max(self._read - 1, 0), self._read + ENTRIES_A_READ - 1
            async with self._redis.pipeline(transaction=True) as step:
                step.hget(self._keys.article, "chain")
                step.lrange(self._keys.ledger, start, end)
                chain, found = await step.execute()
            self._chain = (chain or b"").decode()
            records: list[Any] = list(found)
            if not self._read:
                return records
            if records[:1] == [self._last]:
                return records[1:]
            self._forget()
