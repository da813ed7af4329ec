"""Telling operators of events that could not be folded: the one trace that such an event leaves."""

from __future__ import annotations

import structlog

from shared.article.article import Head
from shared.runtime.metrics import count

log = structlog.get_logger()


def report_quarantined(head: Head, before: int) -> None:
    """Report those events after version *before* of which *head* says that they had no effect."""
    for seq in head.quarantined:
        if seq > before:
            log.error("event.quarantined", article=head.slug, seq=seq)
            count("writethru_events_quarantined_total")
