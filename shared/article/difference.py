"""What differs between two texts, word by word, in a time that nobody can make long. Pure.

Lines are compared first, and words only within the lines that differ. What would take longer than
the effort that is left is told as a whole: all of the old text removed, all of the new one added.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal, NamedTuple

#: Steps of comparing that one comparison may take: about half a second.
EFFORT = 40_000_000
#: Where less than this part of the longer text is in both, word by word says nothing.
ALIKE = 0.3

#: A word with the white space after it. Scripts without spaces are compared by the character.
_WORD = re.compile(r"\s*(?:[\u3040-\u30ff\u3400-\u9fff]|\w+(?:['’-]\w+)*|[^\w\s])\s*|\s+")


class Piece(NamedTuple):
    """Some text that both have, or only the old one, or only the new one."""

    kind: Literal["same", "removed", "added"]
    text: str


Line = tuple[Piece, ...]
#: What to replace (from, to) in the old one by what (from, to) of the new one.
_Step = tuple[str, int, int, int, int]


@dataclass(slots=True)
class Effort:
    """How many steps are *left* for all texts of one comparison."""

    left: int = EFFORT

    def allows(self, old: Sequence[str], new: Sequence[str]) -> bool:
        """Whether these may be compared; if so, what that may take at most is spent.

        The matcher looks at all pairs of equal words, anew for each match that it finds.
        """
        of_old, of_new = Counter(old), Counter(new)
        pairs = sum(count * of_new[word] for word, count in of_old.items())
        cost = len(old) + len(new) + pairs * min(len(old), len(new), pairs)
        if cost > self.left:
            return False
        self.left -= cost
        return True


def lines(old: str, new: str, effort: Effort) -> tuple[Line, ...]:
    """Return *new* line by line, with what it has no more of *old* where that stood."""
    if old == new:
        return tuple((Piece("same", line),) for line in _lines(new))
    return tuple(_differing(_lines(old), _lines(new), effort))


def words(old: str, new: str, effort: Effort) -> Line:
    """Return *new*, which is one line, with what it has no more of *old*."""
    if old == new:
        return (Piece("same", new),) if new else ()
    before, after = _WORD.findall(old), _WORD.findall(new)
    steps = _steps([word.strip() for word in before], [word.strip() for word in after], effort)
    pieces = tuple(_pieces(before, after, steps))
    shared = sum(len(piece.text) for piece in pieces if piece.kind == "same")
    if shared >= ALIKE * max(len(old), len(new)):
        return pieces
    whole = Piece("removed", old), Piece("added", new)
    return tuple(piece for piece in whole if piece.text)


def differs(found: Sequence[Line]) -> bool:
    """Whether there is anything else than what both have."""
    return any(piece.kind != "same" for line in found for piece in line)


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []


def _differing(old: list[str], new: list[str], effort: Effort) -> Iterator[Line]:
    for kind, i1, i2, j1, j2 in _steps(old, new, effort):
        if kind == "equal":
            yield from ((Piece("same", line),) for line in new[j1:j2])
        else:
            for before, after in zip_longest(old[i1:i2], new[j1:j2], fillvalue=""):
                yield words(before, after, effort)


def _steps(old: Sequence[str], new: Sequence[str], effort: Effort) -> Iterator[_Step]:
    """Tell how to get from *old* to *new*; what both begin and end with costs nothing."""
    start = _alike(old, new)
    end = _alike(old[start:][::-1], new[start:][::-1])
    i, j = len(old) - end, len(new) - end
    yield "equal", 0, start, 0, start
    if effort.allows(old[start:i], new[start:j]):
        matcher = SequenceMatcher(None, old[start:i], new[start:j], autojunk=False)
        for kind, i1, i2, j1, j2 in matcher.get_opcodes():
            yield kind, start + i1, start + i2, start + j1, start + j2
    else:
        yield "replace", start, i, start, j
    yield "equal", i, len(old), j, len(new)


def _alike(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many they have in common at the beginning."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _pieces(old: Sequence[str], new: Sequence[str], steps: Iterator[_Step]) -> Iterator[Piece]:
    for kind, i1, i2, j1, j2 in steps:
        parts = (
            [Piece("same", "".join(new[j1:j2]))]
            if kind == "equal"
            else [Piece("removed", "".join(old[i1:i2])), Piece("added", "".join(new[j1:j2]))]
        )
        yield from (piece for piece in parts if piece.text)
