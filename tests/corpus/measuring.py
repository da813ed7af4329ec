"""What each check finds in the corpus: false alarms, and how much of what is there.

`clean.ndjson` is copy without a fault, each line an update of an article of many. A line of
`faulty.ndjson` is an update with one fault, of the kind that `check` names, after the updates
`before` it. All of it was written for this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from services.ingest.core.checks.examine import examine
from services.ingest.core.checks.finding import Finding
from services.ingest.core.checks.memory import Memory
from shared.article.dates import parse_rfc3339
from shared.contract.desk import CHECKS, DEFAULTS, Check, Level
from shared.contract.events import parse_event

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "checks.md"
BEGINS, ENDS = "<!-- from tests/corpus -->\n", "<!-- end -->\n"
#: The article's first event, its updates, and the clock.
OPENED, POSTED, NOW = "2026-03-01T12:00:00Z", "2026-03-01T12:30:00Z", "2026-03-01T12:31:00Z"
ALL_ON: dict[Check, Level] = {check: "warn" for check in CHECKS}  # noqa: C420  # mypy's type

Row = dict[str, Any]


@dataclass(frozen=True)
class Alarm:
    """A finding in *row*, which is the *line* so many of the clean copy."""

    line: int
    row: Row
    finding: Finding


def clean() -> list[Row]:
    return _rows("clean.ndjson")


def faulty() -> list[Row]:
    return _rows("faulty.ndjson")


def alarms() -> Iterator[Alarm]:
    """Yield all that is found in the clean copy: each is false."""
    memories: dict[str, Memory] = {}
    for line, row in enumerate(clean(), start=1):
        memory = memories.setdefault(row["article"], opened(row["article"]))
        event = post(f"u{line}", row)
        for finding in examine(parse_event(event), memory, ALL_ON, parse_rfc3339(NOW)):
            yield Alarm(line, row, finding)
        memory.take(event)


def found_in(row: Row) -> list[Finding]:
    """Return all that is found in one row of the faulty copy."""
    memory = opened("story")
    for number, text in enumerate(row.get("before", ())):
        memory.take(post(f"before-{number}", {"text": text}))
    return examine(parse_event(post("update", row)), memory, ALL_ON, parse_rfc3339(NOW))


def opened(slug: str) -> Memory:
    memory = Memory()
    memory.take(_event("article", slug, "article.published", OPENED, {"headline": "H", "body": ""}))
    return memory


def post(name: str, row: Row) -> Row:
    data: Row = {"text": row["text"]}
    if "sources" in row:
        data["sources"] = [{"n": n, "url": f"https://s.example/{n}"} for n in row["sources"]]
    slug, time = row.get("article", "story"), row.get("time", POSTED)
    return _event(name, slug, "update.posted", time, data)


def renewed(page: str) -> str:
    """Return *page* with the figures as they are."""
    before, _, rest = page.partition(BEGINS)
    return f"{before}{BEGINS}{table()}\n{ENDS}{rest.partition(ENDS)[2]}"


def table() -> str:
    """Return the figures as a Markdown table."""
    size = len(clean())
    false = Counter(alarm.finding.check for alarm in alarms())
    there = Counter(row["check"] for row in faulty())
    found = Counter(
        row["check"] for row in faulty() if row["check"] in {each.check for each in found_in(row)}
    )
    lines = [
        f"| check | if nobody sets it | false alarms in {size} clean updates | found of seeded |",
        "|---|---|---|---|",
    ]
    for check in CHECKS:
        share = f"{found[check]} of {there[check]}"
        lines.append(f"| `{check}` | `{DEFAULTS[check]}` | {false[check]} | {share} |")
    return "\n".join(lines)


def _rows(name: str) -> list[Row]:
    return [orjson.loads(line) for line in (HERE / name).read_bytes().splitlines()]


def _event(name: str, slug: str, act: str, time: str, data: Row) -> Row:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "/desk",
        "type": f"writethru.{act}",
        "subject": slug,
        "time": time,
        "data": data,
    }
