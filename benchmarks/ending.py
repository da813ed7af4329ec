"""`python -m benchmarks.ending`: how soon a deliver process that is told to stop has done so.

Readers of one article are connected to it, and it is sent SIGTERM. It has ended when its last
stream has, and the process itself. The readers are one program in C.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from benchmarks.document import machine
from benchmarks.fanout import OURS, readers
from benchmarks.peers.servers import SERVERS, compiled
from benchmarks.processes import used

READERS = (1_000, 5_000, 10_000)
ROUNDS = 3
LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Ending:
    """Seconds by the clock, and of the process's own processor time."""

    seconds: float
    cpu: float


async def measure(many: int) -> Ending:
    """Have one process end with *many* readers; RuntimeError if it ends with a complaint."""
    with tempfile.TemporaryDirectory() as folder:
        program = compiled("readers", Path(folder))
        async with (
            SERVERS[OURS](Path(folder)) as server,
            readers(program, server, many, ended=True),
        ):
            process = server.process
            before = cpu = used([process.pid])
            begun = time.monotonic()
            process.terminate()
            while process.poll() is None:
                cpu = max(cpu, used([process.pid]))
                await asyncio.sleep(LOOK_SECONDS)
            seconds = time.monotonic() - begun
    if process.returncode:
        raise RuntimeError(f"it ended with status {process.returncode}")
    return Ending(seconds, cpu - before)


def main() -> int:
    """Print a table in Markdown."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print("| readers | s until it has ended (lowest to highest) | s of its processor |")
    print("|---:|---:|---:|")
    for many in READERS:
        found = [asyncio.run(measure(many)) for _ in range(ROUNDS)]
        clock = sorted(each.seconds for each in found)
        cpu = statistics.median(each.cpu for each in found)
        span = f"{statistics.median(clock):.2f} ({clock[0]:.2f} to {clock[-1]:.2f})"
        print(f"| {many:,} | {span} | {cpu:.2f} |", flush=True)
    print(f"\n{machine('the embedded engine')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
