"""What a campaign has shown, as a table for the terminal and for docs, and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.chaos.campaign import Outcome

Row = tuple[str, str]


def rows(outcome: Outcome) -> Iterator[Row]:
    """Yield the figures, each with its name."""
    desks, readers = outcome.desks, outcome.readers
    yield "seed", str(outcome.seed)
    yield "minutes under fire", f"{outcome.seconds / 60:.1f}"
    yield "faults from outside", f"{outcome.faults.total():,}"
    for kind, count in sorted(outcome.faults.items()):
        yield f"· {kind}", f"{count:,}"
    yield "places to fail reached", f"{outcome.fail_points.total():,}"
    for point, count in sorted(outcome.fail_points.items()):
        yield f"· {point}", f"{count:,}"
    yield "starts of processes anew", f"{outcome.restarts:,}"
    yield "events acknowledged", f"{outcome.acked:,}"
    yield "in articles", f"{outcome.articles:,}"
    yield "requests without an answer", f"{desks['no answer']:,}"
    yield "answers that nobody knows, or busy", f"{desks['durability-timeout'] + desks['busy']:,}"
    yield "stored, though their first answer was lost", f"{desks['duplicate']:,}"
    yield "sent again after their receipt", f"{desks['repeated']:,}"
    yield "other words under a known id", f"{desks['forged']:,}"
    yield "streams opened, and resumed", f"{readers['opened']:,}, {readers['resumed']:,}"
    yield "changes told to readers", f"{readers['change'] + readers['change of all']:,}"
    yield "resets told", f"{readers['reset'] + readers['reset of all']:,}"
    yield from _recoveries(outcome.recoveries)
    yield "seconds until all pages were current", f"{outcome.drain_seconds:.1f}"
    yield "events in ledgers, pages compared", f"{outcome.ledgers:,}, {outcome.pages:,}"
    yield "readers' articles compared", f"{outcome.snapshots:,}"
    for rule, said in PROMISES.items():
        yield said, f"{outcome.findings.counts[rule]:,}"


#: What is counted by findings, and what a reader calls it.
PROMISES = {
    "I6": "acknowledged and lost (I6)",
    "once": "doubled, or taken for another (once)",
    "order": "out of order",
    "I1": "ledgers with more or fewer events than are known (I1)",
    "I4": "behind without anybody knowing (I4)",
    "I5": "acknowledged to the stream and not rendered (I5)",
    "verify": "differences that verify found (I1 to I5)",
    "pages": "pages that are not their ledger's fold",
    "I7": "readers told what doesn't join, or holding something else (I7)",
    "receipts": "receipts that may not be",
    "liveness": "not settled in time",
}


def _recoveries(recoveries: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    for kind in ("kill engine", "kill ingest"):
        if times := recoveries.get(kind):
            middle, longest = statistics.median(times), max(times)
            yield f"seconds from {kind} to the next receipt", f"{middle:.1f}, at most {longest:.1f}"


def table(outcome: Outcome) -> list[str]:
    """Return the figures as a table in Markdown."""
    return ["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in rows(outcome))]


def document(outcome: Outcome) -> list[str]:
    """Return the lines of the report in Markdown: figures, and what is broken."""
    return [*table(outcome), "", *(f"- {each}" for each in outcome.findings.broken)]


def write(outcome: Outcome, path: Path) -> None:
    """Write the figures to *path* if it is called `.json`."""
    if path.suffix == ".json":
        facts: dict[str, Any] = {name: getattr(outcome, name) for name in vars(outcome)}
        facts |= {"findings": outcome.findings.counts, "broken": outcome.findings.broken}
        path.write_bytes(orjson.dumps(facts, option=orjson.OPT_INDENT_2, default=dict))
