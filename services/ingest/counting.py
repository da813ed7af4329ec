"""What became of events, in figures."""

from __future__ import annotations

from itertools import product

from shared.contract.acts import ACTS
from shared.contract.receipts import Receipt
from shared.runtime.metrics import begin, count

#: Stands for every type that is none of ours, and for every source beyond those that are told
#: apart: of both there could be any number.
OTHER = "other"
SOURCES_TOLD = 20
LONGEST_SOURCE = 64

_FILED = ("accepted", "duplicate", "held")
_STATUSES = (*_FILED, "rejected", "unknown")
_TYPES = (*(wire.removeprefix("writethru.") for wire in ACTS), OTHER)


class Sources:
    """Which sources have a name in the figures: the first *most* that had an event filed.

    Who may not file takes no place. All that a source may come to begins at 0.
    """

    def __init__(self, most: int = SOURCES_TOLD) -> None:
        self._most = most
        self._told: set[str] = set()
        _begin(OTHER)

    def name(self, receipt: Receipt) -> str:
        """Return what the source of *receipt* is called."""
        source = receipt.source or OTHER
        if source in self._told:
            return source
        if receipt.status not in _FILED or len(source) > LONGEST_SOURCE:
            return OTHER
        if len(self._told) == self._most:
            return OTHER
        self._told.add(source)
        _begin(source)
        return source


def _begin(source: str) -> None:
    for act, status in product(_TYPES, _STATUSES):
        begin("writethru_events_total", source=source, type=act, status=status)


_SOURCES = Sources()


def count_event(wire: object, receipt: Receipt) -> None:
    """Count one event of type *wire*, which may be anything, by its *receipt*."""
    act = str(wire).removeprefix("writethru.") if isinstance(wire, str) and wire in ACTS else OTHER
    source = _SOURCES.name(receipt)
    count("writethru_events_total", source=source, type=act, status=receipt.status)
    if receipt.problem:
        count("writethru_events_refused_total", code=receipt.problem["code"])
