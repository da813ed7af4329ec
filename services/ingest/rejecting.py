"""The receipts of events that were not stored, or of which nobody can tell."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from shared.contract.errors import OutcomeUnknown, WritethruError
from shared.contract.events import Event
from shared.contract.receipts import Receipt
from shared.runtime.problems import problem

_log = structlog.get_logger()


def rejection(error: WritethruError, event: Event) -> Receipt:
    """Return the receipt of *event*, which failed by *error*: `unknown` where nobody can tell."""
    return Receipt(
        status="unknown" if isinstance(error, OutcomeUnknown) else "rejected",
        id=event.id,
        source=event.source,
        article=event.subject,
        problem=problem(error),
    )


def report_failed(events: Iterable[Event], error: BaseException) -> None:
    """Log that *events* were not stored, by their names."""
    named = [f"{event.subject} {event.id} {event.source}" for event in events]
    _log.error("append.failed", reason=type(error).__name__, count=len(named), events=named[:10])
