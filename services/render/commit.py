"""What came of a commit, and how long its events had waited for it."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.article.stored import recorded_at
from shared.runtime.metrics import count, observe


class Commit(NamedTuple):
    """What `commit.lua` answered; *told* is the outbox's entry, if there is a new one."""

    result: str
    told: str

    @classmethod
    def counted(cls, answer: Any) -> Commit:
        """Read the script's *answer*, and count it."""
        result, _, told = (part.decode() for part in answer)
        count("writethru_commits_total", result=result)
        return cls(result, told)

    def measure(self, oldest: bytes) -> None:
        """Say how long its *oldest* record took from the ledger, by the engine's clock alone."""
        recorded = recorded_at(oldest)
        if recorded is not None and self.told:
            at = int(self.told.partition("-")[0])
            observe("writethru_snapshot_seconds", max(at - recorded, 0) / 1e3)
