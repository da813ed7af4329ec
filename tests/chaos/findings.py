"""What was found broken: the promise's name, and a sentence; everybody adds to one list."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

#: More of the same say nothing new.
KEPT = 200


@dataclass
class Findings:
    """*broken* has the first ones in words; *counts* has them all, by promise.

    *began* is when the load did, *first_at* when the first finding came.
    """

    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    began: float = 0.0
    first_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: str, said: str) -> None:
        """Say that *rule* does not hold."""
        with self._lock:
            self.first_at = self.first_at or time.monotonic()
            self.counts[rule] += 1
            if len(self.broken) < KEPT:
                self.broken.append(f"{rule}: {said}")

    def __len__(self) -> int:
        return self.counts.total()
