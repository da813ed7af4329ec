"""`near-duplicate`: an update that tells again what another one of the article tells.

Two things count. The whole: the words in their order are all but the same, and so are the numbers
and names, for a result, an alert or a table says the next thing in the same words. Or the lead: two
long stretches of it are the other's, as when an act is told a second time, of somebody else even.
What is short (a score, a goal, a line of a table) is never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import Indel

from services.ingest.core.checks.finding import MAX_FINDINGS, Finding, Span, at
from services.ingest.core.checks.prose import KEPT, prose, words

#: Words that are compared; what is longer is compared by as many.
MAX_WORDS = 1_000
MIN_WORDS, ALIKE = 15, 0.8
#: Of a lead: how many words it has, how many of them in a row are a stretch, and how much of the
#: lead is the other's in all.
LEAD, MIN_LEAD, STRETCH, LEAD_ALIKE = 40, 25, 6, 0.45
#: What is alike by so much as a whole, names and all the same apart, comes from one mould.
MOULDED = 0.6

_CITATION = re.compile(r"\[[\d ,–-]{1,20}\]")
#: A longer word holds as much as several: in German, or where a character is a word.
_SHORT = 4


@dataclass(frozen=True, slots=True)
class Features:
    """What of a text is compared, by hashes: its *words*, and those that are numbers or names."""

    words: tuple[int, ...]
    different: frozenset[int]
    numbers: frozenset[int]
    marks: frozenset[int]
    """The numbers, and the names."""
    lead: tuple[int, ...]
    stretches: frozenset[tuple[int, ...]]
    signs: frozenset[int]
    """The hashes of the stretches."""
    content: frozenset[int]


@lru_cache(maxsize=KEPT)
def features(text: str) -> Features:
    """Return what of *text* is compared."""
    copy = prose(text[: MAX_WORDS * 12])
    copy = _CITATION.sub(_blank, copy) if "[" in copy else copy
    found = words(copy)[:MAX_WORDS]
    said = [word[0] for word in found]
    hashes = tuple(hash(_folded(word)) for word in said)
    numbers = frozenset(of for word, of in zip(said, hashes, strict=True) if _is_number(word))
    names = (of for word, of in zip(found, hashes, strict=True) if _is_name(copy, word))
    lead = hashes[:LEAD]
    content = (of for word, of in zip(said[:LEAD], lead, strict=True) if len(word) > _SHORT)
    runs = frozenset(lead[n : n + STRETCH] for n in range(len(lead) - STRETCH + 1))
    signs = frozenset(map(hash, runs))
    marks = numbers.union(names)
    return Features(
        hashes, frozenset(hashes), numbers, marks, lead, runs, signs, frozenset(content)
    )


def near_duplicate(
    pointer: str, text: str, ours: Features, others: Iterable[tuple[str, Features]]
) -> Iterator[Finding]:
    """Find those of *others*, each an update_id and its features, that *text* all but repeats."""
    count = 0
    for update_id, theirs in others:
        likeness, what = _likeness(ours, theirs), "This says"
        if not likeness:
            likeness, what = _likeness_of_leads(ours, theirs), "The first words say"
        if likeness:
            detail = (
                f'{what} much the same as update "{update_id}" ({likeness:.0%} alike); '
                "correct that one, or say what is new."
            )
            where, likeness = Span(pointer, 0, len(text)), round(likeness, 2)
            yield at("near-duplicate", detail, where, update_id=update_id, likeness=likeness)
            count += 1
            if count == MAX_FINDINGS:
                return


def _likeness(ours: Features, theirs: Features) -> float:
    if min(len(ours.words), len(theirs.words)) < MIN_WORDS:
        return 0.0
    if _conflict(ours.marks, theirs.marks):
        return 0.0
    # Words that the other hasn't are in no common sequence: mostly that settles it, and is quick.
    apart = len(ours.different) - len(ours.different & theirs.different)
    common = len(ours.words) - apart
    if 2 * common < ALIKE * (len(ours.words) + len(theirs.words)):
        return 0.0
    return Indel.normalized_similarity(ours.words, theirs.words, score_cutoff=ALIKE)


def _likeness_of_leads(ours: Features, theirs: Features) -> float:
    """Compare the leads, but not of what comes from one mould: there the rest is alike as well."""
    if ours.signs.isdisjoint(theirs.signs):
        return 0.0
    shared = ours.stretches & theirs.stretches
    if not shared or _conflict(ours.numbers, theirs.numbers):
        return 0.0
    if min(len(ours.lead), len(theirs.lead)) < MIN_LEAD or len(_apart(ours, shared)) < 2:
        return 0.0
    said = {word for run in shared for word in run} & ours.content
    moulded = Indel.normalized_similarity(ours.words, theirs.words, score_cutoff=MOULDED)
    if len(said) < STRETCH or moulded:
        return 0.0
    return Indel.normalized_similarity(ours.lead, theirs.lead, score_cutoff=LEAD_ALIKE)


def _apart(ours: Features, shared: frozenset[tuple[int, ...]]) -> list[int]:
    """Return where stretches that are *shared* begin, one for each that overlaps no other."""
    starts: list[int] = []
    for start in range(len(ours.lead) - STRETCH + 1):
        if ours.lead[start : start + STRETCH] in shared and (
            not starts or start >= starts[-1] + STRETCH
        ):
            starts.append(start)
    return starts


def _conflict(ours: frozenset[int], theirs: frozenset[int]) -> bool:
    """Whether each has something that the other hasn't."""
    return not (ours <= theirs or theirs <= ours)


def _is_number(word: str) -> bool:
    return not word.isalpha() and any(map(str.isdigit, word))


def _is_name(copy: str, word: re.Match[str]) -> bool:
    """Whether it is a name, as far as a capital within a sentence tells."""
    start = word.start()
    if not start or not copy[start].isupper():
        return False
    return copy[max(0, start - 2) : start].strip(" \n\t") not in (".", "!", "?", ":", "“")


def _folded(word: str) -> str:
    return word.lower() if word.isascii() else word.casefold().replace("’", "'")


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])
