"""`unbalanced`: quotation marks, brackets and Markdown that open and don't close, or the reverse.

Marks do other work as well: an apostrophe, inches, ``a)`` before an item, a smile. A quotation
that goes on over paragraphs opens in each and closes in the last. All of that is in balance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from services.ingest.core.checks.finding import MAX_FINDINGS, Finding, Span, at
from services.ingest.core.checks.prose import paragraphs, prose

_SMILES = re.compile(
    r"(?<![\w\[(])[:;=8xX][-^o']?[()\[\]{}|DPp]+(?!\w)|(?<!\S)[()]+[-^o']?[:;=](?=\s|\Z)|¯\\_\(ツ\)_/¯"
)
_ITEM = re.compile(r"(?:\A|[\s(,;])(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})\Z")
_BRACKETS = re.compile(r"[()\[\]]|[（）「」『』【】]")
_CURLY = re.compile("[„“”]")
_PAIRS = {"(": ")", "[": "]", "（": "）", "「": "」", "『": "』", "【": "】"}
_ENDS = {end: start for start, end in _PAIRS.items()}
_INCHES = re.compile(r"(?<=[\d½¼¾⅓⅔⅛])\"(?=[\s,.;:!?)×x-]|\Z)")
_STRONG = re.compile(r"(?<![\w*\\])\*\*(?=[^\s*])|(?<=[^\s*\\])\*\*(?![\w*])")
_FENCE = re.compile(r"^[ ]{0,3}(?:```|~~~)[^`\n]*$", re.MULTILINE)
_LINK = re.compile(r"\]\((?:https?://|/)[^\s)]*(?=\s|\Z)")


def unbalanced(pointer: str, text: str) -> Iterator[Finding]:
    """Find marks without their partners."""
    copy = prose(text)
    found = (span for look in (_fences, _brackets, _quotes, _strong) for span in look(copy))
    for start, end, detail in islice(found, MAX_FINDINGS):
        yield at("unbalanced", detail, Span(pointer, start, end))


_Found = Iterator[tuple[int, int, str]]


def _fences(copy: str) -> _Found:
    for found in _FENCE.finditer(copy):
        yield *found.span(), "This begins a block of code that nothing ends; end it."
        return


def _brackets(copy: str) -> _Found:
    if not _BRACKETS.search(copy):
        return
    plain = _blanked(_SMILES, copy)
    for link in _LINK.finditer(plain):
        yield *link.span(), "This link's address is not closed; add its )."
    plain = _blanked(_LINK, plain)
    opened: list[re.Match[str]] = []
    for mark in _BRACKETS.finditer(plain):
        if mark[0] in _PAIRS:
            opened.append(mark)
        elif opened and opened[-1][0] == _ENDS[mark[0]]:
            opened.pop()
        elif not _is_interval(opened, mark) and not _is_item(plain, mark):
            yield *mark.span(), f"Nothing opens this {mark[0]}; open it, or take it out."
        elif opened:
            opened.pop()
    for mark in opened:
        yield *mark.span(), f"Nothing closes this {mark[0]}; close it, or take it out."


def _is_item(plain: str, mark: re.Match[str]) -> bool:
    """Whether it follows a number or letter that lists something: ``a)``, ``2)``."""
    return mark[0] == ")" and bool(_ITEM.search(plain[max(0, mark.start() - 7) : mark.start()]))


def _is_interval(opened: list[re.Match[str]], mark: re.Match[str]) -> bool:
    """Whether it ends ``[0, 1)`` or ``(0, 1]``, which is no slip."""
    if not opened or {opened[-1][0], mark[0]} not in ({"[", ")"}, {"(", "]"}):
        return False
    between = mark.string[opened[-1].end() : min(mark.start(), opened[-1].end() + 40)]
    return re.fullmatch(r"[-\d.,;\s∞a-z]+", between) is not None


def _quotes(copy: str) -> _Found:
    spans = list(paragraphs(copy))
    yield from _curly(copy, spans)
    yield from _straight(copy, spans)


def _curly(copy: str, spans: list[tuple[int, int]]) -> _Found:
    """Follow “…”, and „…“ as Germans write it; where both ways mix, or guillemets, keep out."""
    if not _CURLY.search(copy):
        return
    if "„" in copy:
        yield from _low(copy)
        return
    opened: int | None = None
    one_mark = _is_swedish(copy)
    for start, end in spans:
        for at_ in (found.start() for found in re.finditer("[“”]", copy[start:end])):
            place = start + at_
            if copy[place] == "”":
                if opened is None and not one_mark:
                    yield place, place + 1, "Nothing opens this ”; open it, or take it out."
                opened = None
            elif opened is None or not copy[start:place].strip(" \t>*_"):
                opened = place  # a quotation that goes on opens each of its paragraphs
            else:
                yield opened, opened + 1, "Nothing closes this “; close it."
                opened = place
    if opened is not None:
        yield opened, opened + 1, "Nothing closes this “; close it."


def _is_swedish(copy: str) -> bool:
    """Whether ” both opens and closes, as in Swedish and Finnish."""
    return "“" not in copy and copy.count("”") % 2 == 0


def _low(copy: str) -> _Found:
    opened: int | None = None
    for found in re.finditer("[„“”]", copy):
        if found[0] != "„":
            opened = None
        elif opened is None:
            opened = found.start()
    if opened is not None:
        yield opened, opened + 1, "Nothing closes this „; close it."


def _straight(copy: str, spans: list[tuple[int, int]]) -> _Found:
    if '"' not in copy:
        return
    plain = _blanked(_INCHES, copy)
    goes_on = False
    for (start, end), (ahead, _) in zip(spans, [*spans[1:], (len(copy), 0)], strict=True):
        marks = plain.count('"', start, end)
        goes_on = marks % 2 == 1 and plain.startswith('"', ahead)
        if marks % 2 == 1 and not goes_on:
            at_ = plain.rfind('"', start, end)
            yield at_, at_ + 1, 'One " of this paragraph has no partner; add it, or take it out.'


def _strong(copy: str) -> _Found:
    if "**" not in copy:
        return
    for start, end in paragraphs(copy):
        marks = list(_STRONG.finditer(copy, start, end))
        if len(marks) % 2 == 1:
            yield *marks[-1].span(), "These ** have no partner; add it, or take them out."


def _blanked(pattern: re.Pattern[str], copy: str) -> str:
    return pattern.sub(lambda found: " " * len(found[0]), copy)
