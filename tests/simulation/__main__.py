"""The simulator as a command: `python -m tests.simulation --schedules 1000000 --seed 7`."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from time import perf_counter

from tests.simulation.mutants import MUTANTS
from tests.simulation.schedule import PROTOCOL, Cast, Failure, Schedule, first_failure

PROGRESS_EVERY = 500


def main(argv: Sequence[str], cast: Cast = PROTOCOL) -> int:
    """Return the exit status: 1 if a schedule broke the protocol, or a mutant got away."""
    options = _options(argv)
    if options.mutants:
        return _score(options.seed, options.schedules)
    only = options.only
    numbers = range(options.schedules) if only is None else range(only, only + 1)
    try:
        met = _run(options.seed, numbers, cast, story=only is not None)
    except Failure as failure:
        sys.stdout.write(f"\n{failure}\n")
        return 1
    if only is None:
        _summary(options.seed, options.schedules, met)
    return 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--only", type=int, metavar="N", help="print every step of schedule N")
    parser.add_argument("--mutants", action="store_true", help="say how soon each bug is found")
    return parser.parse_args(argv)


def _run(seed: int, numbers: range, cast: Cast, story: bool) -> Counter[str]:
    """Play the schedules, and count what happened in them."""
    met: Counter[str] = Counter()
    began = perf_counter()
    for done, number in enumerate(numbers, 1):
        schedule = Schedule(seed, number, cast)
        schedule.run()
        met.update(schedule.met())
        if story:
            sys.stdout.write(schedule.story() + "\n")
        elif done % PROGRESS_EVERY == 0 or done == len(numbers):
            rate = done / (perf_counter() - began)
            sys.stderr.write(f"\r{done:,} of {len(numbers):,} schedules, {rate:,.0f} a second")
    sys.stderr.write("\n")
    return met


def _summary(seed: int, schedules: int, met: Counter[str]) -> None:
    for what, count in met.most_common():
        sys.stdout.write(f"{count:12,}  {what}\n")
    sys.stdout.write(f"{schedules:12,}  schedules of seed {seed}, no violation\n")


def _score(seed: int, schedules: int) -> int:
    found = 0
    for name, mutant in MUTANTS.items():
        failure = first_failure(mutant, seed, schedules)
        found += failure is not None
        where = f"schedule {failure.number:>6,}, {failure.rule}" if failure else "not found"
        sys.stdout.write(f"{name:<36} {where}\n")
    sys.stdout.write(f"{found} of {len(MUTANTS)} seeded bugs found, seed {seed}\n")
    return int(found < len(MUTANTS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
