"""`dangling-citation` and `unused-source`: what the text cites, and what there is to cite.

A citation is a number in brackets as it follows a word or stands before the end of a sentence:
``said[8].``, ``rose[1][7]``, ``fell [2].`` Three digits at most, so ``[2025]`` is a year.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from services.ingest.core.checks.finding import MAX_FINDINGS, Finding, Span, at
from services.ingest.core.checks.prose import prose

#: Citations of one text that are looked at.
MAX_CITATIONS = 1_000

_NUMBERS = r"\[(\d{1,3}(?:\s?[,–-]\s?\d{1,3}){0,20})\]"
_CITATION = re.compile(
    rf"(?<=[^\s\[(]){_NUMBERS}(?![\w(\[:=])"  # after a word
    rf"|(?<=[^\s\[(]){_NUMBERS}(?=\[\d)"  # and before another
    rf"|(?<=[ \t]){_NUMBERS}(?=[.,;!?]|\s*\Z|\[\d)"
)
#: What defines a number within the text itself: a definition, a footnote, a numbered line.
_DEFINED = re.compile(
    r"^[ \t>]*(?:[-*+][ \t]+)?(?:\[\^?(\d{1,3})\]:?(?=[ \t]+\S)|(\d{1,3})[.)](?=[ \t]+\S))",
    re.MULTILINE,
)
#: In what looks like a formula or a program a number in brackets is an index.
_INDEX = re.compile(r"[_=\ufffc]\w*\Z")


def dangling(pointer: str, text: str, known: Collection[int]) -> Iterator[Finding]:
    """Find what cites a source that is not among *known*, once a number."""
    if "[" not in text:
        return
    defined = {int(found[1] or found[2]) for found in _DEFINED.finditer(text)} | set(known)
    for number, where in _cited(pointer, text):
        if number not in defined:
            defined.add(number)
            detail = f"[{number}] has no source; add a source with n {number}, or take it out."
            yield at("dangling-citation", detail, where, n=number)
            if len(defined) - len(known) > MAX_FINDINGS:
                return


def unused(pointer: str, text: str, sources: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """Find those *sources*, each a pointer and its number, that the text doesn't cite."""
    cited = {number for number, _ in _cited(pointer, text)}
    left = [(place, number) for place, number in sources if number not in cited]
    for place, number in left[:MAX_FINDINGS]:
        detail = f"Nothing cites source {number}; cite it as [{number}], or take it out."
        yield Finding("unused-source", detail, place, None, {"n": number})


def cites(text: str) -> bool:
    """Whether *text* may cite anything; a cheap look."""
    return "[" in text and _CITATION.search(prose(text)) is not None


def _cited(pointer: str, text: str) -> Iterator[tuple[int, Span]]:
    copy = prose(text)
    if "[" not in copy:
        return
    for found in islice(_CITATION.finditer(copy), MAX_CITATIONS):
        if _INDEX.search(copy[max(0, found.start() - 20) : found.start()]):
            continue
        where = Span(pointer, found.start(), found.end())
        for number in _numbers(found[1] or found[2] or found[3]):
            yield number, where


def _numbers(said: str) -> Iterator[int]:
    """Yield the numbers in ``8``, ``1, 2`` and ``1–3``."""
    for part in said.split(","):
        first, *last = (int(number) for number in re.split(r"[–-]", part))
        if first and (not last or first < last[-1]):  # no source is numbered 0
            yield from range(first, (last[-1] if last else first) + 1)
