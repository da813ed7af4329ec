"""Which adapter reads which kind of document."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.ingest.core.sources import feed, guardian, ninjs
from services.ingest.core.sources.documents import Document
from services.ingest.core.sources.entries import Entry
from shared.contract.sources import Kind

READERS: Mapping[Kind, Callable[[Document], list[Entry]]] = {
    "feed": feed.read,
    "ninjs": ninjs.read,
    "superdesk": ninjs.superdesk,
    "guardian": guardian.read,
}
