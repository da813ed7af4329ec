"""The desk's checks on copy: their names, their levels, and whose word counts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Check = Literal[
    "dangling-citation",
    "unused-source",
    "cut-short",
    "near-duplicate",
    "placeholder",
    "unbalanced",
    "odd-time",
    "same-quote",
]
Level = Literal["off", "warn", "hold", "refuse"]

CHECKS: tuple[Check, ...] = get_args(Check)
#: From the most lenient to the strictest.
LEVELS: tuple[Level, ...] = get_args(Level)

#: Those that compare copy with what the article has.
COMPARING: tuple[Check, ...] = ("dangling-citation", "near-duplicate", "odd-time", "same-quote")

#: What some set; a check that is not in it is as it was.
Levels = Mapping[Check, Level]

#: Where nobody has set anything. A check warns unasked if it cries wolf nowhere in the corpus of
#: clean copy, and if what it says holds for any newsroom.
DEFAULTS: dict[Check, Level] = {
    "dangling-citation": "warn",
    "unused-source": "off",
    "cut-short": "warn",
    "near-duplicate": "warn",
    "placeholder": "warn",
    "unbalanced": "warn",
    "odd-time": "warn",
    "same-quote": "warn",
}


def parse_levels(text: str) -> dict[Check, Level]:
    """Read ``near-duplicate=hold,unused-source=warn``; blanks don't count, nor does their order.

    Raises:
        ValueError: says what is wrong and what would be right.
    """
    levels: dict[Check, Level] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, level = map(str.strip, part.partition("="))
        check = next((each for each in CHECKS if each == name), None)
        known = next((each for each in LEVELS if each == level), None)
        if check is None:
            raise ValueError(f"{name!r} is no check; the checks are {', '.join(CHECKS)}")
        if known is None:
            raise ValueError(f"{check} must be one of {', '.join(LEVELS)}, as in {check}=warn")
        if check in levels:
            raise ValueError(f"{check} is set twice; set it once")
        levels[check] = known
    return levels


def in_force(installation: Levels, key: Levels, article: Levels) -> dict[Check, Level]:
    """Return the level of every check, by who set it: the nearest to the copy counts.

    But an article can't be let off what an operator lets stop copy: where its key, or else the
    installation, says hold or refuse, the article's own word counts only if it is stricter.
    """
    levels: dict[Check, Level] = {}
    for check in CHECKS:
        ours = key.get(check, installation.get(check, DEFAULTS[check]))
        theirs = article.get(check, ours)
        levels[check] = theirs if ours in ("off", "warn") else max(ours, theirs, key=LEVELS.index)
    return levels
