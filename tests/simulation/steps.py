"""What every actor is made of: steps, and dice."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

#: What an actor did, for the trace: a few words, then facts.
Step = tuple[object, ...]
#: An actor's way of work. A yield ends each call to the engine: anything may happen there.
Steps = Generator[Step, None, T]
#: An actor had nothing to do.
RESTS: Step = ("rests",)


class Dice(Random):
    """The only source of chance. *calm* ends all mishaps, for the tail of a schedule."""

    calm = False

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def mishap(self, probability: float) -> bool:
        return not self.calm and self.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.random() * len(items))]
