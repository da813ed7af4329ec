"""What an article's recent updates say, as far as checks compare new copy with it.

It is taken in from the ledger, event by event, and again from the events of a batch, which come to
be there. Of the copy itself nothing is kept but hashes, and the quotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.ingest.core.checks.likeness import Features, features
from services.ingest.core.checks.quotations import Quotation, of_update, quotations
from shared.article.dates import parse_rfc3339
from shared.article.normal import nfc

#: How many live updates are remembered.
UPDATES = 50
#: Text beyond this is not compared with other text.
MAX_CHARS = 32 * 1024


@dataclass(frozen=True, slots=True)
class Remembered:
    """One live update."""

    features: Features
    quotations: tuple[Quotation, ...]
    sources: frozenset[int] = frozenset()


@dataclass(slots=True)
class Memory:
    """One article: when it was *opened*, and its last live updates, oldest first.

    *seq* is the last event that was taken in.
    """

    seq: int = 0
    opened: datetime | None = None
    updates: dict[str, Remembered] = field(default_factory=dict)

    def copy(self) -> Memory:
        """Return another memory of the same, to go on from."""
        return replace(self, updates=dict(self.updates))

    @property
    def sources(self) -> frozenset[int]:
        """The numbers of the sources of all that is remembered."""
        return frozenset().union(*(each.sources for each in self.updates.values()))

    def open(self, event: Mapping[str, Any]) -> None:
        """Take in the article's first event."""
        times = (event.get("time"), event["data"].get("published_at"))
        self.opened = min((parse_rfc3339(each) for each in times if each), default=None)

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in the envelope of the next event."""
        data: Mapping[str, Any] = event["data"]
        act = event["type"].removeprefix("writethru.")
        update_id = data.get("update_id") or event["id"]
        if act == "article.published":
            self.open(event)
        elif act == "update.posted":
            self._keep(update_id, remembered(update_id, data))
        elif act in ("update.revised", "update.corrected"):
            self._change(update_id, data)
        elif act in ("update.retracted", "update.redacted"):
            self.updates.pop(update_id, None)

    def _keep(self, update_id: str, update: Remembered) -> None:
        self.updates[update_id] = update
        while len(self.updates) > UPDATES:
            del self.updates[next(iter(self.updates))]

    def _change(self, update_id: str, data: Mapping[str, Any]) -> None:
        """Take in new copy of an update; one from before what is remembered stays forgotten."""
        known = self.updates.get(update_id)
        if known is None:
            return
        new = remembered(update_id, data) if "text" in data else known
        sources = new.sources if data.get("sources") is not None else known.sources
        self.updates[update_id] = replace(new, sources=sources)


def remembered(update_id: str, data: Mapping[str, Any]) -> Remembered:
    """Return what to remember of an update with this *data*."""
    text = nfc(data["text"][:MAX_CHARS])
    sources = frozenset(source["n"] for source in data.get("sources") or ())
    return Remembered(features(text), of_update(update_id, quotations(text)), sources)
