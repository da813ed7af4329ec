"""What a lane's streams say against what its articles have: the outbox, and what was acknowledged.

Streams are read from their beginning to their end, piece by piece, while others write. Nothing of
an entry is kept but where it begins and ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

#: How many of an article's last entries are kept: it may move on while it is looked at.
RECENT = 50


class Place(NamedTuple):
    """A version or a seq, and the chain there."""

    number: int
    chain: str


@dataclass(slots=True)
class _Told:
    start: int
    recent: deque[Place] = field(default_factory=lambda: deque(maxlen=RECENT))


class Outbox:
    """The commits that a lane's outbox tells of, an interval of versions each."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}
        self._faults: list[tuple[str, str]] = []

    def hear(self, slug: str, start: int, end: Place) -> None:
        """Take one entry, which tells of the versions after *start* up to *end*."""
        told = self._told.setdefault(slug, _Told(start))
        if told.recent and told.recent[-1].number != start:
            last = told.recent[-1].number
            self._faults.append((slug, f"outbox: an entry begins at {start}, not at {last}"))
        told.recent.append(end)

    def faults(self, versions: Mapping[str, Place], *, whole: bool) -> Iterator[tuple[str, str]]:
        """Yield slugs, and what is wrong with what was told of each.

        *versions* are what articles had before the end of the outbox was read; *whole* says that
        nothing was ever trimmed, so that all of it has to be told.
        """
        yield from self._faults
        for slug, place in versions.items():
            told = self._told.get(slug)
            if told is None:
                if whole and place.number:
                    yield slug, f"outbox: version {place.number} was never told of"
            elif place not in told.recent:
                yield slug, f"outbox: no entry ends at version {place.number} and its chain"
            elif whole and told.start:
                yield slug, f"outbox: the first entry begins at {told.start}"

    def slugs(self) -> set[str]:
        """Return the articles that it tells of."""
        return set(self._told)


class Acked:
    """The wake-ups that are read and no longer pending: the furthest of each article."""

    def __init__(self) -> None:
        self.furthest: dict[str, Place] = {}

    def hear(self, slug: str, place: Place) -> None:
        """Take one."""
        known = self.furthest.get(slug)
        if known is None or known.number < place.number:
            self.furthest[slug] = place

    def uncovered(self, versions: Mapping[str, int]) -> dict[str, Place]:
        """Return those beyond the version of their article."""
        return {
            slug: place
            for slug, place in self.furthest.items()
            if place.number > versions.get(slug, 0)
        }
