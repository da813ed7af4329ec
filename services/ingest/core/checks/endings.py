"""`cut-short`: copy that stops in the middle of a sentence.

A headline, a score or a list needs no full stop, so what counts is how the rest is written: the
last sentence of running text has no end where the one before it, in the same paragraph, has. What
stops at a comma, a hyphen or a word that can't be the last is cut short anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.ingest.core.checks.finding import Finding, Span, at
from services.ingest.core.checks.prose import MASK, paragraphs, prose, word_set, words

#: How long a last sentence must be to be one, in words (or, without spaces, characters).
MIN_WORDS = 8
#: How many words there must be before it, or in all where the last word says enough.
MIN_FIRST, MIN_WHOLE = 4, 4
#: Of a long paragraph only the end is looked at.
WINDOW = 2_000

#: Ends of sentences in the scripts that newsrooms write; an opening ellipsis is one on purpose.
_STOPS = ".!?…。！？．｡։।॥؟۔።။។།;:؛"
_CLOSING = "\"'”’»«›‹“‘)]}」』）】》〉*_~"
_END_OF_SENTENCE = re.compile(
    rf"[.!?…。！？।؟۔][{re.escape(_CLOSING)}]*(?:\[\d{{1,3}}\])*\s+(?=\S)"
)
#: Scripts whose sentences have no mark at their end: Thai and Lao.
_UNMARKED = re.compile("[\u0e00-\u0eff]")
_UNSPACED_END = re.compile("[。！？]")
_CITATIONS = re.compile(r"(?:\s*\[\d{1,3}\])+\Z")
_NO_PROSE = re.compile(r"[ \t]*(?:[#>|]|[-*+•–—▪●✅❌][ \t]|\d{1,3}[.)][ \t]|[ ]{4}|\t)")
#: English words after which a sentence has to go on.
_OPEN_WORDS = word_set(
    "the a an and or but nor because although whereas whose than if unless until their its my "
    "your our every"
)
_BREAKS = re.compile(r"(?:\w,|\w[-‐]|[(\[{„「『（])\Z")


def cut_short(pointer: str, text: str) -> Iterator[Finding]:
    """Find that *text* ends before its last sentence does."""
    copy = prose(text).rstrip()
    spans = list(paragraphs(copy))
    if not spans:
        return
    start, end = spans[-1]
    start = max(start, copy.rfind("\n", start, end) + 1, end - WINDOW)
    last = _CITATIONS.sub("", copy[start:end])
    if not last.strip() or _NO_PROSE.match(last) or not _stops_short(last):
        return
    where = Span(pointer, start + _last_word(last), start + len(last))
    detail = f"The text stops in the middle of a sentence, at “{text[where.start : where.end]}”."
    yield at("cut-short", f"{detail} Send the rest of it, or end it.", where)


def _stops_short(last: str) -> bool:
    tail = last.rstrip()
    final = tail[-1]
    if _UNMARKED.match(final):
        return False
    found = words(tail[-200:])
    whole = len(found) >= MIN_WHOLE
    if final in _STOPS or final == MASK:
        return False
    if whole and _BREAKS.search(tail[-2:]):
        return True
    if not final.isalnum():
        return False
    if whole and found[-1][0] in _OPEN_WORDS:
        return True
    return _breaks_style(tail)


def _breaks_style(tail: str) -> bool:
    """Whether the last sentence has no end, though those before it in its paragraph have."""
    ends = [each.end() for each in _END_OF_SENTENCE.finditer(tail)]
    ends += [each.end() for each in _UNSPACED_END.finditer(tail)]
    if not ends:
        return False
    first, last = tail[: max(ends)], tail[max(ends) :]
    said = words(last)
    begins = bool(said) and (said[0][0][0].isupper() or not said[0][0][0].islower())
    signs_off = MASK in last or "@" in last or "#" in last or re.match(r"[(\[–—-]", last)
    return bool(
        begins and not signs_off and len(said) >= MIN_WORDS and len(words(first)) >= MIN_FIRST
    )


def _last_word(text: str) -> int:
    found = words(text)
    return found[-1].start() if found else 0
