"""What a publisher gets for each event: what happened, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one event; *problem* is set when it was rejected or is unknown.

    Of a duplicate without a `seq`, the first is *held* or was *spiked*.
    """

    status: str
    id: str | None = None
    source: str | None = None
    article: str | None = None
    seq: int | None = None
    chain: str | None = None
    durability: str | None = None
    problem: dict[str, Any] | None = None
    line: int | None = None
    held: bool = False
    spiked: bool = False
    findings: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as on the wire: what does not apply is left out."""
        names = ("id", "source", "article", "status", "seq", "chain", "durability", "line")
        facts = {name: getattr(self, name) for name in names}
        facts = {name: value for name, value in facts.items() if value is not None}
        if self.status in ("accepted", "duplicate", "held"):
            facts["findings"] = list(self.findings)
        facts |= {name: True for name in ("held", "spiked") if getattr(self, name)}
        if self.problem is not None:
            facts["problem"] = self.problem
        return facts
