"""Which lane an article is in, and what the lanes' tags are.

Tags are chosen so that their slots lie evenly over a cluster's 16,384: plain numbers as tags
leave nodes idle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from redis.crc import key_slot

from shared.runtime.keys import Lane

SLOTS = 16_384


@dataclass(frozen=True, slots=True)
class Lanes:
    """All lanes of an installation, in the order of their slots."""

    tags: tuple[str, ...]

    def __iter__(self) -> Iterator[Lane]:
        return (Lane(tag) for tag in self.tags)

    def __len__(self) -> int:
        return len(self.tags)

    def of(self, slug: str) -> Lane:
        """Return the lane of *slug*: its SHA-1 modulo the number of lanes."""
        digest = hashlib.sha1(slug.encode(), usedforsecurity=False).digest()
        return Lane(self.tags[int.from_bytes(digest) % len(self.tags)])


def choose_tags(lanes: int) -> tuple[str, ...]:
    """Return *lanes* short tags, each within a sixteenth of its lane's share of the middle."""
    return tuple(_tag_near((place * 2 + 1) * SLOTS // (lanes * 2), lanes) for place in range(lanes))


def _tag_near(middle: int, lanes: int) -> str:
    reach = max(1, SLOTS // (lanes * 16))
    for number in count():
        if abs(key_slot(f"wt:{number}".encode()) - middle) <= reach:
            return str(number)
    raise AssertionError("numbers never end")
