"""The simulator as a command: `python -m tests.simulation --schedules 1000000 --seed 7`.

On all cores. Ctrl-C ends it with what was played so far.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from time import perf_counter

from services.cli.progress import progress
from tests.simulation.cast import PROTOCOL, Cast
from tests.simulation.mutants import MUTANTS
from tests.simulation.running import SCHEDULES_A_PART, Played, parts, play_all
from tests.simulation.schedule import Failure, Schedule, first_failure

INTERRUPTED = 130


def main(argv: Sequence[str], cast: Cast = PROTOCOL) -> int:
    """Return the exit status: 1 if a schedule broke the protocol, or a mutant got away."""
    options = _options(argv)
    if options.mutants:
        return _score(options.seed, options.schedules)
    if options.only is not None:
        return _tell(options.seed, options.only, cast)
    return _run(options.seed, options.schedules, cast)


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--only", type=int, metavar="N", help="print every step of schedule N")
    parser.add_argument("--mutants", action="store_true", help="say how soon each bug is found")
    return parser.parse_args(argv)


def _run(seed: int, schedules: int, cast: Cast) -> int:
    """Play the schedules, up to a failure or to Ctrl-C; say what was met."""
    played, began, status = Played(), perf_counter(), 0
    try:
        with progress(f"seed {seed}, each {SCHEDULES_A_PART}", len(list(parts(schedules)))) as step:
            for part in play_all(seed, schedules, cast):
                played.add(part)
                step()
                if part.failure:
                    break
    except KeyboardInterrupt:
        status = INTERRUPTED
    if played.failure:
        sys.stdout.write(f"{played.failure}\n")
        return 1
    _summary(seed, played, perf_counter() - began)
    return status


def _summary(seed: int, played: Played, seconds: float) -> None:
    for what, count in played.met.most_common():
        sys.stdout.write(f"{count:12,}  {what}\n")
    rate = played.schedules / max(seconds, 1e-9)
    said = f"{played.schedules:12,}  schedules of seed {seed}, no violation"
    sys.stdout.write(f"{said}; {rate:,.0f} a second, digest {played.digest:016x}\n")


def _tell(seed: int, number: int, cast: Cast) -> int:
    schedule = Schedule(seed, number, cast)
    try:
        schedule.run()
    except Failure as failure:
        sys.stdout.write(f"{failure}\n")
        return 1
    sys.stdout.write(schedule.story() + "\n")
    return 0


def _score(seed: int, schedules: int) -> int:
    """Print a table: the bug, the schedule that found it, what it broke."""
    found = 0
    for name, mutant in MUTANTS.items():
        failure = first_failure(mutant, seed, range(schedules))
        found += failure is not None
        where = f"schedule {failure.number:>7,}  {failure.rule}" if failure else "not found"
        sys.stdout.write(f"{name:<36} {where}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{found} of {len(MUTANTS)} seeded bugs found, seed {seed}\n")
    return int(found < len(MUTANTS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
