"""What became of events, in figures."""

from __future__ import annotations

from shared.contract.acts import ACTS
from shared.contract.receipts import Receipt
from shared.runtime.metrics import count

#: Stands for every type that is none of ours, of which there could be any number.
OTHER = "other"


def count_event(wire: object, receipt: Receipt) -> None:
    """Count one event of type *wire*, which may be anything, by its *receipt*."""
    known = isinstance(wire, str) and wire in ACTS
    count(
        "writethru_events_total",
        type=str(wire).removeprefix("writethru.") if known else OTHER,
        status=receipt.status,
        code=receipt.problem["code"] if receipt.problem else "",
    )
