"""`python -m benchmarks NAME…`: measure, write docs/performance.md, fail if a claim does.

`all` is all of them, one after the other; without a name they are listed. A name stands for a
module, which has `measure(folder, tell)`, a coroutine that may write into *folder* and says by
*tell* how far it is; `table(found)`, the lines for the section of that name between the document's
marks; and, where something is claimed of the figures, `failures(found)`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import structlog

from benchmarks.document import machine, replace_section

BENCHMARKS = {
    "update": "benchmarks.one_more_update",
    "ingest": "benchmarks.ingest",
    "renderers": "benchmarks.renderers",
    "onscreen": "benchmarks.onscreen",
    "fanout": "benchmarks.fanout",
    "pages": "benchmarks.pages",
    "cost": "benchmarks.cost",
    "start": "benchmarks.start",
    "memory": "benchmarks.memory",
    "render": "benchmarks.render",
    "rebuild": "benchmarks.rebuild",
}
BAR = 20


def main(words: Sequence[str]) -> int:
    names = list(BENCHMARKS) if words == ["all"] else list(words)
    if not names or any(name not in BENCHMARKS for name in names):
        sys.stderr.write(f"usage: python -m benchmarks {' | '.join([*BENCHMARKS, 'all'])}\n")
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    failed = False
    for place, name in enumerate(names):
        failures = _run(name, f"{_bar(place, len(names))} {name}")
        for failure in failures:
            sys.stderr.write(f"benchmarks: {name}: {failure}\n")
        failed = failed or bool(failures)
    return int(failed)


def _run(name: str, title: str) -> Sequence[str]:
    """Measure one and write its section; return what is not as claimed, or why it ended early."""

    def tell(line: str) -> None:
        sys.stderr.write(f"benchmarks: {title}: {line}\n")

    module = import_module(BENCHMARKS[name])
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = asyncio.run(module.measure(Path(folder), tell))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- the others are still of use
            return [f"ended early: {error!r}"]
    lines = list(module.table(found))
    sys.stdout.write("\n".join(lines) + "\n")
    replace_section(name, "\n".join([*lines, "", machine("the embedded engine")]))
    failures: Sequence[str] = module.failures(found) if hasattr(module, "failures") else ()
    return failures


def _bar(done: int, whole: int) -> str:
    full = BAR * done // whole
    return f"[{'#' * full}{'.' * (BAR - full)}] {done + 1} of {whole},"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
