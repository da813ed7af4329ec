"""Copy without what is not prose: code, addresses and escapes, each character masked in place.

So whatever is found has the same place in the copy as it was filed. Every step passes over the
text once, whatever it holds.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator
from functools import lru_cache

#: Stands for each character that is no prose. It is no space, no letter and no mark.
MASK = "\ufffc"

_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_TICKS = re.compile(r"`+")
_ESCAPE = re.compile(r"\\[!-/:-@\[-`{-~]")
_TARGET = re.compile(r"(?<=\])\([^()\s]*+(?:\([^()\s]*+\)[^()\s]*+)*+(?:\s++\"[^\"\n]*+\")?+\)")
_DEFINITION = re.compile(r"^[ ]{0,3}\[[^\]\[\n]{1,200}\]:[ \t]*\S[^\n]*$", re.MULTILINE)
_ADDRESS = re.compile(r"(?:https?://|www\.|mailto:)[^\s<>\"”“»«]*[^\s<>\"”“»«.,;:!?)\]*_’']")

#: What is masked, and what it is never without: most copy has none of it.
_MASKED = (
    (_ESCAPE, ("\\",)),
    (_DEFINITION, ("]:",)),
    (_TARGET, ("](",)),
    (_ADDRESS, ("http", "www.", "mailto:")),
)

#: Scripts that put no spaces between words: each character counts as a word of its own.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:['’][^\W_{_UNSPACED}]+)*")


#: Texts of which is remembered what was found in them: copy is looked at when it comes in, and once
#: more when it is in the ledger, and others come in between.
KEPT = 256


@lru_cache(maxsize=8)
def prose(text: str) -> str:
    """Return *text*, of the same length, with all that is no prose masked."""
    if "```" in text or "~~~" in text:
        text = _masked(text, _fences(text))
    if "`" in text:
        text = _masked(text, _code(text))
    for pattern, signs in _MASKED:
        if any(sign in text for sign in signs):
            text = _masked(text, (found.span() for found in pattern.finditer(text)))
    return text


def words(text: str) -> list[re.Match[str]]:
    """Return the words of *text* with their places."""
    return list(_WORD.finditer(text))


def folded(text: str) -> list[str]:
    """Return the words of *text* without regard to case and kinds of apostrophes."""
    return [word[0].casefold().replace("’", "'") for word in _WORD.finditer(text)]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())


def paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each run of lines that are not blank begins and ends."""
    for found in re.finditer(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*", text):
        yield found.span()


def _masked(text: str, spans: Iterator[tuple[int, int]]) -> str:
    parts: list[str] = []
    last = 0
    for start, end in spans:
        parts += (text[last:start], MASK * (end - start))
        last = end
    return "".join((*parts, text[last:])) if parts else text


def _fences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the blocks of code between fences, the fences too; one without end is no block."""
    opened: re.Match[str] | None = None
    for found in _FENCE.finditer(text):
        if opened is None:
            opened = None if found[1][0] == "`" and "`" in found[2] else found
        elif found[1].startswith(opened[1]) and not found[2].strip():
            yield opened.start(), found.end()
            opened = None


def _code(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of code between runs of as many backticks."""
    runs = list(_TICKS.finditer(text))
    by_length: dict[int, deque[int]] = defaultdict(deque)
    for place, run in enumerate(runs):
        by_length[len(run[0])].append(place)
    place = 0
    while place < len(runs):
        ahead = by_length[len(runs[place][0])]
        while ahead and ahead[0] <= place:
            ahead.popleft()
        if ahead:
            yield runs[place].start(), runs[ahead[0]].end()
            place = ahead[0]
        place += 1
