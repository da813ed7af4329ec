"""`python -m benchmarks`: measure, write docs/performance.md, fail if a claim does.

`python -m benchmarks renderers` measures how renderers share the work, `fanout` what telling live
readers costs, `pages` how many readers of a page deliver answers, `cost` what they cost the
origin.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import structlog

from benchmarks import cost, fanout, one_more_update, pages, renderers
from benchmarks.document import machine, replace_section
from shared.runtime.engine import Engine
from shared.runtime.redis import connect


def tell(line: str) -> None:
    sys.stderr.write(f"benchmarks: {line}\n")


async def run(url: str) -> list[str]:
    """Measure; return what is not as claimed."""
    redis = connect(url)
    costs = {}
    for size in one_more_update.SIZES:
        costs[size] = await one_more_update.measure(redis, size, tell)
    server = await redis.info("server")
    name = server.get("server_name", "redis")
    engine = f"{name} {server.get(f'{name}_version')}"
    await redis.aclose()
    lines = list(one_more_update.table(costs))
    sys.stdout.write("\n".join(lines) + "\n")
    replace_section("one more update", "\n".join([*lines, "", machine(engine)]))
    return [
        f"{one_more_update.FIGURES[name]}: {grown:.2f} times as many"
        for name, grown in one_more_update.growth(costs).items()
        if grown > one_more_update.FLAT
    ]


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if len(sys.argv) == 2 and sys.argv[1] in _SEVERAL:
        return _several(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        failures = asyncio.run(run(engine.url))
    for failure in failures:
        tell(f"one more update is not flat: {failure}")
    return 1 if failures else 0


_SEVERAL: dict[str, tuple[Callable[..., Any], Callable[..., Iterable[str]]]] = {
    "renderers": (renderers.measure, renderers.table),
    "fanout": (fanout.measure, fanout.table),
    "pages": (pages.measure, pages.table),
    "cost": (cost.measure, cost.table),
}


def _several(what: str) -> int:
    """Measure what takes several processes."""
    measure, table = _SEVERAL[what]
    with tempfile.TemporaryDirectory() as folder:
        lines = list(table(asyncio.run(measure(Path(folder), tell))))
    sys.stdout.write("\n".join(lines) + "\n")
    replace_section(what, "\n".join([*lines, "", machine("the embedded engine")]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
