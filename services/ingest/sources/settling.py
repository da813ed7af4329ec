"""What became of the events of a run: the outcome for people, and what is remembered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from services.ingest.core.sources.entries import Fate, Step
from shared.contract.acts import Posted
from shared.contract.receipts import Receipt
from shared.runtime.problems import RETRY_AFTER

#: Refusals that are about the article as it is now, and none about the news.
_OVER = ("article-closed", "article-killed", "unknown-article")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    *failure* is a sentence for people, None where all went well; *refused* counts events that
    were refused one by one, which is no failure. *retry_after*: for how many seconds the source
    asks to be left alone. *gone*: it says that it won't come back.
    """

    filed: int = 0
    held: int = 0
    duplicates: int = 0
    unchanged: bool = False
    failure: str | None = None
    retry_after: float | None = None
    gone: bool = False
    refused: int = 0


def counted(receipts: Sequence[Receipt], *, unchanged: bool = False) -> Outcome:
    """Return how many events were filed, held, known and refused."""
    held = sum(receipt.status == "held" for receipt in receipts)
    return Outcome(
        filed=sum(receipt.status == "accepted" for receipt in receipts),
        held=held,
        duplicates=sum(receipt.status == "duplicate" for receipt in receipts),
        unchanged=unchanged,
        refused=sum(code_of(receipt) not in (None, *_OPEN) for receipt in receipts),
    )


def code_of(receipt: Receipt) -> str | None:
    """Return the code of the problem that an event had."""
    return receipt.problem["code"] if receipt.problem else None


def reason_of(receipt: Receipt) -> str:
    """Say why an event was refused, in a line."""
    problem = receipt.problem or {}
    errors = problem.get("errors") or ()
    if errors:
        return f"{errors[0]['pointer'] or 'the event'} {errors[0]['detail']}"
    return str(problem.get("detail", ""))


def is_open(code: str | None) -> bool:
    """Whether the event may be filed later as it is."""
    return code in _OPEN


_OPEN = (*RETRY_AFTER, *_OVER)


def fate_of(step: Step, receipts: Sequence[Receipt]) -> Fate | None:
    """Return what became of an entry; None where it is to be looked at again as it is."""
    codes = [code_of(receipt) for receipt in receipts]
    if any(map(is_open, codes)):
        return None
    if "update-retracted" in codes or any(receipt.spiked for receipt in receipts):
        return "gone"  # by an editor, who knows why
    is_post = step.events[0]["type"] == Posted.wire
    return "refused" if is_post and any(codes) else step.seen.fate


def shared_out(
    steps: Sequence[Step], receipts: Sequence[Receipt]
) -> Iterator[tuple[Step, list[Receipt]]]:
    """Give each step the receipts of its events."""
    rest = iter(receipts)
    for step in steps:
        yield step, list(islice(rest, len(step.events)))
