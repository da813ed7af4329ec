"""`same-quote`: one quotation that is given to two people.

Who speaks is known only where the sentence names them beside a verb of saying. A few words in
quotation marks (an "existential" threat) are a quotation by one person only where both sentences
say the same; what people say at every fire and funeral is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from rapidfuzz.distance import Indel

from services.ingest.core.checks.finding import MAX_FINDINGS, Finding, Span, at
from services.ingest.core.checks.prose import KEPT, folded, prose, word_set
from services.ingest.core.checks.speakers import Speaker, speaker_of

#: Quotations of one update that are looked at, and words of each that are compared.
MAX_QUOTATIONS, MAX_WORDS = 50, 200
#: From so many words on a quotation is somebody's whatever stands around it.
LONG, MIN_CONTENT, ALIKE = 4, 2, 0.9
#: Of fewer words: how much of what the shorter sentence says the other says too.
SHARED_WORDS, SHARED = 5, 0.35

_QUOTATION = re.compile(
    "“([^“”\n]{2,2000})”|„([^„“”\n]{2,2000})[“”]|«\\s?([^«»\n]{2,2000}?)\\s?»|「([^「」\n]{2,2000})」"
    '|(?<![\\w"])"([^"\n]{2,2000})"(?!\\w)'
)
#: Where a sentence begins and ends.
_BEGINNING = re.compile(r"\n|(?<=[\w”\"’)][.!?。])\s+")
_END = re.compile(r"\n|(?<=[\w”\"’)\]][.!?。])(?:\s|\Z)")
_EVERYBODYS = re.compile(
    r"thoughts|prayers|condolence|deeply sadden|hearts? go|no comment|thank you|happy (?:new|birth)"
    r"|merry|rest in peace|one (?:game|match|day|step) at a time|time will tell|long live",
    re.IGNORECASE,
)
#: Somebody who says another's words.
_ECHO = re.compile(
    r"\b(?:echo\w*|repeat\w*|quot(?:e|es|ed|ing)|cit(?:e|es|ed|ing)|borrow\w*|motto|slogan|chant\w*"
    r"|proverb|phrase|words|saying|song|album|film|novel|book|play|anthem|headline\w*|banner"
    r"|placard|verse|retweet\w*|jointly|both)\b"
    r"|\b(?:called|dubbed|titled|entitled|named|known as|so-called|reads|reading)\s*,?\s*\Z",
    re.IGNORECASE,
)
_STOPWORDS = word_set(
    "a an and are as at be been but by for from had has have he her his i if in is it its not of "
    "on or our she so that the their them they this to was we were what when which who will with "
    "would you your can could do don't i'm it's just no our us very there than then"
)


@dataclass(frozen=True, slots=True)
class Quotation:
    """One quotation with its *speaker*, its words, and the *context* that its sentence gives."""

    words: tuple[str, ...]
    speaker: Speaker
    context: frozenset[str]
    after: str
    start: int
    end: int
    update_id: str = ""


@lru_cache(maxsize=KEPT)
def quotations(text: str) -> tuple[Quotation, ...]:
    """Return the quotations in *text* that are somebody's."""
    copy = prose(text)
    if not any(mark in copy for mark in '“„«「"'):
        return ()
    found = (_quotation(copy, each) for each in islice(_QUOTATION.finditer(copy), MAX_QUOTATIONS))
    return tuple(each for each in found if each is not None)


def of_update(update_id: str, found: Iterable[Quotation]) -> tuple[Quotation, ...]:
    """Return quotations that say which update they are from."""
    return tuple(replace(each, update_id=update_id) for each in found)


def same_quote(
    pointer: str, ours: Sequence[Quotation], others: Iterable[Quotation]
) -> Iterator[Finding]:
    """Find those of *ours* that one before them, or one of *others*, gives to somebody else."""
    known = list(others)
    count = 0
    for quotation in ours:
        twin = next((each for each in known if _is_twin(quotation, each)), None)
        known.append(quotation)
        if twin is None:
            continue
        where = Span(pointer, quotation.start, quotation.end)
        source = f'update "{twin.update_id}"' if twin.update_id else "this very update"
        detail = (
            f"This quotation is {quotation.speaker.name}'s here and {twin.speaker.name}'s in "
            f"{source}; find out who said it."
        )
        named = {"update_id": twin.update_id} if twin.update_id else {}
        speakers = [quotation.speaker.name, twin.speaker.name]
        yield at("same-quote", detail, where, **named, speakers=speakers)
        count += 1
        if count == MAX_FINDINGS:
            return


def _quotation(copy: str, found: re.Match[str]) -> Quotation | None:
    said = next(each for each in found.groups() if each is not None)
    words = tuple(folded(said)[:MAX_WORDS])
    sentence = Sentence.around(copy, *found.span())
    if (
        not words
        or _is_title(said)
        or _EVERYBODYS.search(said)
        or any(map(_ECHO.search, (sentence.before, sentence.after)))
    ):
        return None
    speaker = speaker_of(sentence.before, sentence.after, partial=len(words) < LONG)
    if speaker is None:
        return None
    context = frozenset(each for each in folded(sentence.frame) if _is_content(each))
    after = next(iter(folded(sentence.after[:40])), "")
    return Quotation(words, speaker, context, after, *found.span())


@dataclass(frozen=True, slots=True)
class Sentence:
    """What stands *before* and *after* a quotation in its sentence."""

    before: str
    after: str

    @property
    def frame(self) -> str:
        """The sentence without what is quoted."""
        return f"{self.before} {self.after}"

    @classmethod
    def around(cls, copy: str, start: int, end: int) -> Sentence:
        """Return the sentence around a quotation: at most some hundred characters each way."""
        before = _BEGINNING.split(copy[max(0, start - 400) : start])[-1]
        after = _END.split(copy[end : end + 300])[0]
        return cls(before, after)


def _is_twin(ours: Quotation, theirs: Quotation) -> bool:
    if not _same_words(ours.words, theirs.words) or not ours.speaker.differs(theirs.speaker):
        return False
    if len(ours.words) >= LONG:
        return sum(map(_is_content, ours.words)) >= MIN_CONTENT
    shared = ours.context & theirs.context
    least = min(len(ours.context), len(theirs.context))
    return (
        ours.after == theirs.after and len(shared) >= SHARED_WORDS and len(shared) / least >= SHARED
    )


def _same_words(ours: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    if ours == theirs:
        return True
    if min(len(ours), len(theirs)) < 2 * LONG:
        return False
    return Indel.normalized_similarity(ours, theirs, score_cutoff=ALIKE) > 0


def _is_content(word: str) -> bool:
    return word not in _STOPWORDS and (len(word) > 2 or not word.isascii())


def _is_title(said: str) -> bool:
    """Whether it is written as titles are: "Death of a Salesman"."""
    long = [word for word in said.split() if len(word) > 3]
    return len(long) > 1 and all(word[0].isupper() for word in long)
