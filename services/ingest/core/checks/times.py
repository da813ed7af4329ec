"""`odd-time`: an update from the future, or from before its article."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from services.ingest.core.checks.finding import Finding
from shared.article.dates import rfc3339

#: Clocks differ; by more than this they are wrong.
AHEAD = timedelta(minutes=5)


def odd_time(time: datetime | None, opened: datetime | None, now: datetime) -> Iterator[Finding]:
    """Find that *time* is after *now*, or before the article was *opened*."""
    if time is None:
        return
    if time > now + AHEAD:
        detail = f"It is {rfc3339(now)}, and this time is yet to come; mend the clock or the time."
        yield Finding("odd-time", detail, "/time")
    elif opened is not None and time < opened:
        detail = f"The article is younger than this: it was opened at {rfc3339(opened)}."
        yield Finding("odd-time", detail, "/time")
