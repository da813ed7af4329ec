"""What each test module takes: `./writethru test -p tests.cost` ends with the table.

User and system time of the test's own process and of every process that it, or one of those, has
waited for. An engine of the whole session is counted where it ends: with the last module.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

#: By module: seconds of processor, seconds that a worker was held.
_spent: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    before = _so_far()
    done = yield
    module = item.nodeid.partition("::")[0]
    _add(module, *(now - then for now, then in zip(_so_far(), before, strict=True)))
    return done


def _so_far() -> tuple[float, float]:
    return sum(os.times()[:4]), time.perf_counter()


def _add(module: str, processor: float, wall: float) -> None:
    before = _spent[module]
    _spent[module] = before[0] + processor, before[1] + wall


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["cost"] = dict(_spent)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for module, spent in getattr(node, "workeroutput", {}).get("cost", {}).items():
        _add(module, *spent)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("seconds of processor, and of a worker, by module")
    rows = sorted(((*spent, module) for module, spent in _spent.items()), reverse=True)
    total = sum(row[0] for row in rows), sum(row[1] for row in rows), "all"
    for processor, wall, module in [*rows, total]:
        terminalreporter.write_line(f"{processor:8.1f} {wall:8.1f}  {module}")
