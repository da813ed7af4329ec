"""What a publisher gets for each event: what happened, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one event; *problem* is set when it was rejected or is unknown."""

    status: str
    id: str | None = None
    source: str | None = None
    article: str | None = None
    seq: int | None = None
    chain: str | None = None
    durability: str | None = None
    problem: dict[str, Any] | None = None
    line: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as on the wire: what does not apply is left out."""
        names = ("id", "source", "article", "status", "seq", "chain", "durability", "line")
        facts = {name: getattr(self, name) for name in names}
        facts = {name: value for name, value in facts.items() if value is not None}
        if self.status in ("accepted", "duplicate", "held"):
            facts["findings"] = []
        if self.problem is not None:
            facts["problem"] = self.problem
        return facts
