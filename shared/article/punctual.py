"""Whether an article keeps the promise on its page: on time, due, or overdue. Pure.

A cadence says how often readers may expect news. News is due one cadence after the last change, and
overdue once a grace is over as well: as long again, but no shorter than a minute, as a source
that is asked on the cadence answers some seconds later, and no longer than half an hour, so that an
hourly coverage is not silent for two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.article.article import Head

LEAST_GRACE_SECONDS = 60
MOST_GRACE_SECONDS = 1_800
#: Beyond it the calendar may end before a promise does.
_LAST_YEAR = 9_998

Punctuality = Literal["on time", "due", "overdue"]


@dataclass(frozen=True, slots=True)
class Promise:
    """News every *cadence_seconds*, and the time of the last *change*."""

    cadence_seconds: int
    change: datetime

    @property
    def due(self) -> datetime:
        """When the next change is due."""
        return self.change + timedelta(seconds=self.cadence_seconds)

    @property
    def overdue(self) -> datetime:
        """From when on the promise is broken."""
        return self.change + timedelta(seconds=overdue_after(self.cadence_seconds))

    def at(self, now: datetime) -> Punctuality:
        """Return how it is kept."""
        if now < self.due:
            return "on time"
        return "due" if now < self.overdue else "overdue"


def overdue_after(cadence_seconds: int) -> int:
    """Return how many seconds after the last change news is overdue."""
    grace = min(max(cadence_seconds, LEAST_GRACE_SECONDS), MOST_GRACE_SECONDS)
    return cadence_seconds + grace


def promise_of(head: Head) -> Promise | None:
    """Return what the page of *head* promises: nothing if it has no cadence, or is not live.

    The last change is the one that the page names as `Updated`, its publication to begin with; a
    silent edit is no news.
    """
    changed = head.updated_at
    if head.status != "live" or head.cadence_seconds is None or changed is None:
        return None
    if changed.year > _LAST_YEAR:
        return None
    return Promise(head.cadence_seconds, changed)
