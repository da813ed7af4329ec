"""The status of an answer to several events."""

from __future__ import annotations

import pytest

from services.ingest.answers import of_many
from shared.contract.errors import OutcomeUnknown, Refused
from shared.contract.receipts import Receipt
from shared.runtime.problems import problem

STORED = Receipt("accepted", seq=1)
UNKNOWN = Receipt("unknown", problem=problem(OutcomeUnknown("The engine is silent.")))
REJECTED = Receipt("rejected", problem=problem(Refused("stale", "It has moved on.")))


@pytest.mark.parametrize(
    ("receipts", "status"),
    [
        ([STORED], 202),
        ([STORED, UNKNOWN], 202),
        ([STORED, REJECTED], 207),
        ([UNKNOWN, REJECTED], 207),
    ],
)
def test_a_batch_is_207_when_an_event_was_rejected_and_only_then(
    receipts: list[Receipt], status: int
) -> None:
    assert of_many(receipts).status_code == status
