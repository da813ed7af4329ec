"""What is noted of events that could not be folded: one line each, in a hash of the lane's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.article.fold import FOLD_REVISION


@dataclass(frozen=True, slots=True)
class Mark:
    """Event *seq* has no effect: the fold of *revision* could not take it, and *why*."""

    seq: int
    revision: int
    why: str


def lines(failed: Mapping[int, str]) -> str:
    """Return the lines for events that this fold could not take, by seq."""
    return "".join(f"{seq} {FOLD_REVISION} {why}\n" for seq, why in failed.items())


def read_marks(text: str) -> tuple[Mark, ...]:
    """Read what `lines` wrote.

    Raises:
        ValueError: it didn't.
    """
    parts = (line.split(" ", 2) for line in text.splitlines())
    return tuple(Mark(int(seq), int(revision), why) for seq, revision, why in parts)
