"""What became of events, in figures."""

from __future__ import annotations

from shared.contract.acts import ACTS
from shared.contract.receipts import Receipt
from shared.runtime.metrics import count

#: Stands for every type that is none of ours, and for every source beyond those that are told
#: apart: of both there could be any number.
OTHER = "other"
SOURCES_TOLD = 20
LONGEST_SOURCE = 64
#: Only who may file gets a place among the sources.
_FILED = ("accepted", "duplicate", "held")


class Sources:
    """Which sources have a name in the figures: the first *most* that had an event filed."""

    def __init__(self, most: int = SOURCES_TOLD) -> None:
        self._most = most
        self._told: set[str] = set()

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
        return source


_SOURCES = Sources()


def count_event(wire: object, receipt: Receipt) -> None:
    """Count one event of type *wire*, which may be anything, by its *receipt*."""
    known = isinstance(wire, str) and wire in ACTS
    count(
        "writethru_events_total",
        source=_SOURCES.name(receipt),
        type=str(wire).removeprefix("writethru.") if known else OTHER,
        status=receipt.status,
        code=receipt.problem["code"] if receipt.problem else "",
    )
