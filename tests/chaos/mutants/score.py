"""How many seeded bugs a short chaos finds, how soon, and by which promise."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import campaign
from tests.chaos.campaign import Campaign
from tests.chaos.desk import Load
from tests.chaos.plan import endless

SITE = Path(__file__).parent / "site"
ROOT = Path(__file__).parents[3]
DRAIN_SECONDS = 10.0
#: Few articles that move on fast: most bugs show where one thing comes upon another.
HOT = Load(desks=8, rate=300.0, at_once=3, open_at_once=1)
PACE, FAIL = 1.5, 3.0


@dataclass(frozen=True)
class Score:
    """*seconds* from the first event to the finding; None if there was none."""

    name: str
    seconds: float | None
    rule: str = ""
    said: str = ""


def environ(name: str) -> dict[str, str]:
    """Return what puts the mutant *name* into every process of a stack."""
    path = os.pathsep.join([str(SITE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {"TEST_MUTANT": name, "PYTHONPATH": path}


def hunt(name: str, seconds: float, seed: int, folder: Path) -> Score:
    """Let a campaign run against the mutant *name* until it finds something, or time is up."""
    hunted = Campaign(
        seed=seed,
        faults=endless(seed, PACE),
        seconds=seconds,
        load=HOT,
        fail=FAIL,
        impatient=True,
        drain_seconds=DRAIN_SECONDS,
        environ=environ(name),
    )
    began = time.monotonic()
    found = campaign.run(hunted, folder).findings
    if not found:
        return Score(name, None)
    rule = next(iter(found.counts))
    at = found.first_at - (found.began or began)
    return Score(name, at, rule, found.broken[0])


def is_hidden(name: str) -> bool:
    """Whether it takes another history to show it, which one engine never gets: see levels."""
    return name == "commit without the ledger's chain"


def table(scores: Iterable[Score]) -> list[str]:
    """Return the scores as a table in Markdown."""
    return ["| seeded bug | found after | by |", "|---|---:|---|", *map(line, scores)]


def line(found: Score) -> str:
    """Return one line of the table."""
    after = "not found" if found.seconds is None else f"{found.seconds:.0f} s"
    return f"| {found.name} | {after} | {found.rule} |"
