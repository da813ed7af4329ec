"""Many schedules on all cores: what they met, and a digest that says whether two runs are one."""

from __future__ import annotations

import hashlib
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.cast import PROTOCOL, Cast
from tests.simulation.schedule import Failure, Schedule

SCHEDULES_A_PART = 250


@dataclass(slots=True)
class Played:
    """Schedules that were played: how many, what happened in them, and the *failure* of one."""

    schedules: int = 0
    met: Counter[str] = field(default_factory=Counter)
    digest: int = 0
    failure: str = ""

    def add(self, other: Played) -> None:
        self.schedules += other.schedules
        self.met.update(other.met)
        self.digest ^= other.digest
        self.failure = self.failure or other.failure


def play(seed: int, numbers: range, cast: Cast = PROTOCOL) -> Played:
    """Play *numbers* one after the other, up to the first that breaks an invariant."""
    played = Played()
    for number in numbers:
        schedule = Schedule(seed, number, cast)
        try:
            schedule.run()
        except Failure as failure:
            played.failure = str(failure)
            break
        played.schedules += 1
        played.met.update(schedule.met())
        # Exclusive or: in whatever order parts come to an end, the sum is the same.
        story = repr((number, schedule.trace)).encode()
        played.digest ^= int.from_bytes(hashlib.sha256(story).digest()[:8])
    return played


def parts(schedules: int) -> Iterator[range]:
    for start in range(0, schedules, SCHEDULES_A_PART):
        yield range(start, min(start + SCHEDULES_A_PART, schedules))


def play_all(seed: int, schedules: int, cast: Cast = PROTOCOL) -> Iterator[Played]:
    """Play them on all cores, and yield what was played as parts come to an end."""
    work = [(seed, numbers, cast) for numbers in parts(schedules)]
    processes = min(os.cpu_count() or 1, len(work))
    if processes < 2:
        yield from (play(*each) for each in work)
        return
    # Forked, for a mutant's cast need not be known by name; only the parent hears of Ctrl-C.
    with get_context("fork").Pool(
        processes, signal.signal, (signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        yield from pool.imap_unordered(_play, work)


def _play(work: tuple[int, range, Cast]) -> Played:
    return play(*work)
