"""Copy that is paragraphs and nothing else: what most updates are, read without a parser of blocks.

Markdown's blocks begin with marks, digits or an indent. Where every line begins with a letter, or
with what opens a quotation, there are paragraphs alone, and no definitions that a link could name.
`markdown.blocks` says the same of such a text, a hundred times as slowly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Longer texts are left to the parser, which counts over the whole of one how long its links are.
MAX_CHARS = 16_000

_OPENING = frozenset("\"'(“‘«„")
#: No markup within a line: a citation is none where nothing defines it and no address follows.
_PLAIN = re.compile(
    r"(?:[^\W_]++|[ \n,.;:'\"()/?!%$@+=–—‘’“”„«»…£€•-]++|\[[0-9]{1,4}\](?![(\[]))*+"
)


def paragraphs(text: str) -> Sequence[str] | None:
    """Return the paragraphs of *text*, which is `normal`; None if it may hold other blocks."""
    if len(text) > MAX_CHARS:
        return None
    for line in text.split("\n"):
        if line and not (line[0].isalpha() or line[0] in _OPENING):
            return None
    found = (part.strip() for part in text.split("\n\n"))
    return [part for part in found if part]


def is_plain(paragraph: str) -> bool:
    """Whether *paragraph* is text alone: its HTML is itself, its spaces stay as they are."""
    return (
        _PLAIN.fullmatch(paragraph) is not None and "  " not in paragraph and " \n" not in paragraph
    )
