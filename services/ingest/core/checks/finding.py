"""What a check found, and the copy that it looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.contract.desk import Check, Level

#: More findings of one check in one event than a person reads.
MAX_FINDINGS = 10
#: What of a finding repeats words of the copy, or is people's names.
IN_WORDS = ("detail", "speakers")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one field: *pointer* into the event, code points from *start* to before *end*.

    The field is counted as it is kept, in NFC.
    """

    pointer: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an editor should look at. *detail* is for people.

    *where* is None where it is about the whole event; *facts* name other things by id.
    """

    check: Check
    detail: str
    pointer: str
    where: Span | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self, level: Level) -> dict[str, Any]:
        """Return the finding as on the wire."""
        found = {"check": self.check, "level": level, "detail": self.detail}
        found["pointer"] = self.pointer
        span = {} if self.where is None else {"span": [self.where.start, self.where.end]}
        return {**found, **span, **self.facts}


def at(check: Check, detail: str, where: Span, **facts: Any) -> Finding:
    """Return a finding on a stretch of a field."""
    return Finding(check, detail, where.pointer, where, facts)
