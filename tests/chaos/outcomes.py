"""What came of the rounds of `tests.chaos.failover`, for the terminal and for the document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.desks import Judged


@dataclass
class Outcome:
    """What came of a round. *lost* was accepted and in no ledger before it was filed again.

    More *takeovers* than the one that was meant are of primaries that were taken for dead.
    """

    company: str
    fault: str
    level: str
    takeovers: int
    accepted: int
    lost: int
    filed_again: int
    readers: Judged
    seconds: float
    """Until every lane that the fault concerned had taken an event again."""

    def said(self) -> str:
        return (
            f"{self.company}, {self.fault} at {self.level}: {self.takeovers} takeovers, "
            f"{self.accepted} accepted, {self.lost} lost, {self.filed_again} filed again, "
            f"{self.readers.told} of {self.readers.forked} forked readers reset "
            f"(and {self.readers.ahead} that were ahead), {self.seconds:.1f} s"
        )


HEADING = (
    "| engines | fault | level | rounds | accepted | lost | filed again "
    "| readers of lost history, reset | longest |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|"
)


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a line for each kind of round, as the document has it."""
    yield HEADING
    kinds = dict.fromkeys((each.company, each.fault, each.level) for each in outcomes)
    for kind in kinds:
        some = [each for each in outcomes if (each.company, each.fault, each.level) == kind]
        sums = [
            len(some),
            sum(each.accepted for each in some),
            sum(each.lost for each in some),
            sum(each.filed_again for each in some),
        ]
        told = sum(each.readers.told for each in some), sum(each.readers.forked for each in some)
        longest = max(each.seconds for each in some)
        cells = [*kind, *(f"{each:,}" for each in sums), "{} of {}".format(*told)]
        yield f"| {' | '.join(cells)} | {longest:.1f} s |"
