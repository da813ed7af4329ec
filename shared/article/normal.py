"""Text in the one form that the project keeps: NFC, lines ended by line feeds, nothing but text.

NFC as `unicodedata` makes it sorts each run of combining marks by moving them past one another,
so a run of 100,000 takes half a minute. Unicode's stream-safe form (UAX #15, section 13) breaks
runs longer than any that language knows, and that keeps it linear.
"""

from __future__ import annotations

import re
import unicodedata

MAX_MARKS = 30
_JOINER = "\u034f"  # combining grapheme joiner: shows nothing, and no mark moves past it

#: Longer runs of characters that may be marks; no mark is a letter, a digit or a space.
_LONG_RUN = re.compile(rf"[^\w\s\x00-\u02ff]{{{MAX_MARKS + 1},}}")
#: Controls but tab and line feed, lone surrogates, and what no XML document may hold.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def nfc(text: str) -> str:
    """Return *text* in NFC, in time linear in its length."""
    if text.isascii():
        return text
    if len(text.encode("utf-8", "surrogatepass")) - len(text) > MAX_MARKS:  # else too few marks
        text = _LONG_RUN.sub(_broken, text)
    return unicodedata.normalize("NFC", text)


def normal(text: str) -> str:
    """Return *text* in NFC, lines ended by line feeds; what is no text becomes U+FFFD."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if not lines.replace("\n", "").isprintable():
        lines = _NO_TEXT.sub("\ufffd", lines)
    return nfc(lines)


def _broken(run: re.Match[str]) -> str:
    """Put a joiner after every thirtieth mark in a row."""
    parts, marks = [], 0
    for char in run[0]:
        marks = marks + 1 if _is_mark(char) else 0
        if marks > MAX_MARKS:
            parts.append(_JOINER)
            marks = 1
        parts.append(char)
    return "".join(parts)


def _is_mark(char: str) -> bool:
    return unicodedata.combining(unicodedata.normalize("NFD", char)[0]) != 0
