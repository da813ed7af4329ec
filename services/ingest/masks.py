"""What a redaction puts in place of the entries that hold the text: read before it is filed.

The script changes the ledger only where it still ends where it was read to, so no entry that came
meanwhile is left out.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from services.ingest.core.redacting import names, redacted
from shared.runtime.scripts import Argument

ENTRIES_A_READ = 200


class Masks:
    """The entries of *ledger* about *update_id*, masked, as far as they were read."""

    def __init__(self, redis: Redis, ledger: str, update_id: str) -> None:
        self._redis = redis
        self._ledger = ledger
        self._update_id = update_id
        self._read = 0
        self._found: dict[int, bytes] = {}

    async def read_on(self) -> list[Argument]:
        """Read what was filed since; return append.lua's words: an end, seqs and entries."""
        while records := await self._records():
            for seq, record in enumerate(records, start=self._read + 1):
                if names(record, self._update_id):
                    self._found[seq] = record
            self._read += len(records)
        by = self._read + 1
        masks = ((seq, redacted(record, by)) for seq, record in self._found.items())
        return [self._read, *(word for mask in masks for word in mask)]

    async def _records(self) -> list[bytes]:
        end = self._read + ENTRIES_A_READ - 1
        found: Any = await self._redis.lrange(self._ledger, self._read, end)
        return list(found)
