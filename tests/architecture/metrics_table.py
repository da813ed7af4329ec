"""The table of docs/metrics.md, from the code.

`.venv/bin/python -m tests.architecture.metrics_table` renews it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from shared.runtime.metric import Metric
from shared.runtime.metrics import METRICS

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGINS, ENDS = "<!-- from shared/runtime/metrics.py -->\n", "<!-- end -->\n"


def table() -> str:
    """Return what stands between the marks."""
    return "\n".join(_lines())


def in_page(page: str) -> str:
    """Return what *page* has between the marks."""
    return page.partition(BEGINS)[2].partition(ENDS)[0]


def _lines() -> Iterator[str]:
    for services, rows in groupby(METRICS.items(), key=lambda row: row[1].services):
        yield f"\n### {' · '.join(services)}\n"
        yield "| metric | kind | labels | |"
        yield "|---|---|---|---|"
        yield from (
            f"| `{name}` | {each.kind} | {_labels(each)} | {each.help} |" for name, each in rows
        )
    yield "\n"


def _labels(metric: Metric) -> str:
    return "; ".join(
        f"`{name}`: {', '.join(values)}" if values else f"`{name}`"
        for name, values in metric.labels.items()
    )


if __name__ == "__main__":
    before = PAGE.read_text("utf-8")
    PAGE.write_text(before.replace(in_page(before), table()), "utf-8")
