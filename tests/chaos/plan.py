"""What goes wrong, and when: the seed says it, so that a campaign can be run again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "kill render",
    "kill ingest",
    "kill deliver",
    "kill engine",
    "freeze render",
    "freeze ingest",
    "freeze deliver",
    "freeze engine",
    "trim wake-ups",
    "trim outboxes",
    "delete groups",
    "delete consumers",
    "forget scripts",
]

#: How often each comes up, beside the kills of the engine, of which there are as many as asked for.
WEIGHTS: dict[Kind, int] = {
    "kill render": 22,
    "kill ingest": 12,
    "kill deliver": 8,
    "freeze render": 12,
    "freeze ingest": 8,
    "freeze deliver": 4,
    "freeze engine": 4,
    "trim wake-ups": 10,
    "trim outboxes": 3,
    "delete groups": 7,
    "delete consumers": 5,
    "forget scripts": 5,
}
PAUSE_SECONDS = 0.3, 2.1
FREEZE_SECONDS = 0.8, 2.5


@dataclass(frozen=True, slots=True)
class Fault:
    """*pause* seconds after the one before; *span* is how long it lasts, if it does.

    *chance* picks one of those that it may hit.
    """

    kind: Kind
    pause: float
    span: float
    chance: float


def by_count(seed: int, faults: int, engine_kills: int, pace: float = 1.0) -> list[Fault]:
    """Return so many faults, so many of which kill the engine; pauses are *pace* times as long."""
    chances = random.Random(seed)
    kinds = [_kind(chances) for _ in range(faults - engine_kills)]
    kinds += ["kill engine"] * engine_kills
    chances.shuffle(kinds)
    return [_fault(chances, kind, pace) for kind in kinds]


def endless(seed: int, pace: float = 1.0) -> Iterator[Fault]:
    """Yield faults for as long as somebody wants more: each kind once, then each once more."""
    chances = random.Random(seed)
    kinds: list[Kind] = [*WEIGHTS, "kill engine"]
    while True:
        chances.shuffle(kinds)
        yield from (_fault(chances, kind, pace) for kind in kinds)


def _kind(chances: random.Random) -> Kind:
    return chances.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


def _fault(chances: random.Random, kind: Kind, pace: float) -> Fault:
    span = chances.uniform(*FREEZE_SECONDS) if kind.startswith("freeze") else 0.0
    return Fault(kind, chances.uniform(*PAUSE_SECONDS) * pace, span, chances.random())
