"""Bursts: how many commits of one article may follow each other, and what waits for no other. Pure.

A few at once, so that whoever files now and then never waits; from then on one each 60 ms, with all
that has come meanwhile. Readers can't read faster, and each commit goes to all of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import orjson

#: Commits that may follow each other at once, and how soon another one may, in seconds.
AT_ONCE, PAUSE_SECONDS = 4, 0.06
#: By IPTC's scale: 1 to 3 is what interrupts a programme, 4 and more is what goes in order.
BREAKING = 3
#: Acts that may wait for a moment: neither do they take anything back, nor open or end a coverage.
PATIENT = frozenset(
    f"writethru.update.{act}" for act in ("posted", "revised", "pinned", "unpinned")
)
_REMEMBERED = 10_000


class Pace:
    """Of each article, how many commits it has had of late."""

    def __init__(self) -> None:
        self._owed: OrderedDict[str, float] = OrderedDict()

    def wait(self, slug: str, now: float) -> float:
        """Return for how many seconds a commit of *slug* is to wait."""
        owed = self._owed.get(slug, 0.0) - now
        return max(owed - (AT_ONCE - 1) * PAUSE_SECONDS, 0.0)

    def committed(self, slug: str, now: float) -> None:
        """Note that there is a commit *now*."""
        self._owed[slug] = max(self._owed.pop(slug, 0.0), now) + PAUSE_SECONDS
        if len(self._owed) > _REMEMBERED:
            self._owed.popitem(last=False)


def may_wait(fields: Mapping[bytes, bytes]) -> bool:
    """Whether what a wake-up is about is patient, and no breaking news."""
    try:
        event = orjson.loads(fields[b"data"])
        urgency = event["data"].get("urgency")
        return event["type"] in PATIENT and not (urgency and urgency <= BREAKING)
    except (KeyError, ValueError, TypeError, AttributeError):
        return False
