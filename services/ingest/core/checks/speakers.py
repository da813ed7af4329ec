"""Who says a quotation, as far as the sentence around it tells beyond doubt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.ingest.core.checks.prose import word_set

_SAYING = word_set(
    "said says say told tells added adds warned warns warning argued argues insisted insists "
    "declared declares announced claimed claims explained explains replied wrote writes tweeted "
    "posted asked remarked noted notes stated states admitted conceded joked recalled called "
    "calling describing described branding branded accused accusing stressed "
    "sagte sagt erklärte erklärt betonte warnte warnt schrieb meinte teilte "
    "dit déclaré déclare affirmé affirme ajouté expliqué explique prévenu averti lancé "
    "dijo dice afirmó afirma declaró declara añadió explicó advirtió aseguró señaló"
)
_PRONOUNS = word_set("he she they who it we i er sie es wir il elle ils elles él ella ellos quien")
#: Capitalised, and nobody's name.
_NO_NAME = word_set(
    "mr mrs ms miss dr prof professor sir dame lord lady rev father sister mayor president vice "
    "prime minister chancellor governor senator sen rep representative secretary chief chair "
    "chairman chairwoman chairperson director head ceo cfo cto co founder co-founder captain "
    "sergeant sgt lieutenant lt colonel col general gen detective inspector superintendent "
    "constable officer judge justice coach manager king queen prince princess pope bishop "
    "archbishop cardinal councillor deputy mp ambassador spokesman spokeswoman spokesperson "
    "analyst the a an on in at but and as for after before when while however meanwhile earlier "
    "later "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december herr frau bürgermeister "
    "bürgermeisterin monsieur madame señor señora le la les el los las der die das"
)
_PARTICLES = word_set("de van von der den bin bint al el da di du la le dos ibn ter ten")
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[.;:,!?]")
_AUXILIARIES = (["a"], ["ha"], ["hat"], ["had"], ["has"])
#: How far from its verb a name may be.
REACH = 12


class _Name(NamedTuple):
    first: int
    last: int
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody by *name*; *around* holds the other names in the sentence."""

    name: str
    parts: frozenset[str]
    around: frozenset[str]

    def differs(self, other: Speaker) -> bool:
        """Whether they are two people: no name in common, nor either named beside the other."""
        return not (self.parts & (other.parts | other.around) or other.parts & self.around)


def speaker_of(before: str, after: str, *, partial: bool) -> Speaker | None:
    """Return who says what stands between *before* and *after* in a sentence, if that is clear.

    Of a *partial* quotation it is whom the
    sentence begins with, by first and last name.
    """
    ahead, behind = _TOKEN.findall(before), _TOKEN.findall(after)
    if partial:
        name = _subject(ahead)
    else:
        name = _after(behind) or (None if _has_saying(behind[:REACH]) else _before(ahead))
    if name is None:
        return None
    parts = frozenset(part.casefold() for part in name.tokens)
    others = {token.casefold() for token in (*ahead, *behind) if token[0].isupper()}
    return Speaker(" ".join(name.tokens), parts, frozenset(others) - parts)


def _after(tokens: Sequence[str]) -> _Name | None:
    """Find ``, said the mayor, Lena Ortiz`` and ``, Ortiz said`` right after a quotation."""
    tokens = list(tokens[: REACH + 2])
    while tokens and tokens[0] == ",":
        tokens = tokens[1:]
    place = next((n for n, token in enumerate(tokens) if token.casefold() in _SAYING), None)
    if place is None:
        return None
    if place == 0 or tokens[:place] in _AUXILIARIES:
        if _is_pronoun(tokens, place + 1):
            return None
        return next(iter(_names(_until(tokens[place + 1 :], ".;:!?"))), None)
    if _is_pronoun(tokens, place - 1) or set(".;:!?") & set(tokens[:place]):
        return None
    names = _names(tokens[:place])
    return names[0] if names and names[0].first <= 4 else None


def _before(tokens: Sequence[str]) -> _Name | None:
    """Find ``Ortiz said:`` and ``Ortiz told reporters that`` right before a quotation."""
    tokens = list(tokens)
    if not tokens or not (tokens[-1] in ":," or tokens[-1] == "that" or tokens[-1] in _SAYING):
        return None
    places = [n for n, token in enumerate(tokens) if token.casefold() in _SAYING]
    if not places or len(tokens) - places[-1] > REACH or _is_pronoun(tokens, places[-1] - 1):
        return None
    names = [name for name in _names(tokens[: places[-1]]) if name.last >= places[-1] - REACH]
    return names[-1] if names else None


def _subject(tokens: Sequence[str]) -> _Name | None:
    """Find the person that a sentence begins with, where a verb of saying follows."""
    for name in _names(tokens):
        if name.first > REACH:
            return None
        if len(name.tokens) > 1:
            says = _has_saying(tokens[name.last :])
            return name if says else None
    return None


def _names(tokens: Sequence[str]) -> list[_Name]:
    """Return the runs of capitalised words, without titles; an abbreviation is no name."""
    names: list[_Name] = []
    run: list[str] = []
    for place, token in enumerate((*tokens, ".")):
        if _is_name(token):
            run.append(token)
        elif not (run and token in _PARTICLES):
            if run:
                names.append(_Name(place - len(run), place, tuple(run)))
            run = []
    return names


def _is_name(token: str) -> bool:
    if not token[0].isupper() or token.casefold() in _NO_NAME or len(token) < 2:
        return False
    return not (token.isupper() and len(token) <= 4)


def _is_pronoun(tokens: Sequence[str], place: int) -> bool:
    return 0 <= place < len(tokens) and tokens[place].casefold() in _PRONOUNS


def _has_saying(tokens: Sequence[str]) -> bool:
    return any(token.casefold() in _SAYING for token in tokens)


def _until(tokens: Sequence[str], marks: str) -> Sequence[str]:
    end = next((n for n, token in enumerate(tokens) if token in marks), len(tokens))
    return tokens[:end]
