"""Wake-ups: what an entry of the lane's stream says, whoever wrote it there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.contract.copy_rules import SLUG

Entry = tuple[str, Mapping[bytes, bytes]]
Wakeup = tuple[str, int]
"""The entry's id in the stream, and the seq that it announces."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Wake-ups by article, and the ids of entries that are no wake-ups at all."""

    articles: Mapping[str, list[Wakeup]] = field(default_factory=dict)
    strays: tuple[str, ...] = ()


def batch(entries: Iterable[Entry]) -> Batch:
    """Group *entries* by article."""
    articles: dict[str, list[Wakeup]] = {}
    strays = []
    for entry_id, fields in entries:
        slug = fields.get(b"article", b"").decode("ascii", "replace")
        seq = fields.get(b"seq", b"")
        if re.fullmatch(SLUG, slug) and re.fullmatch(rb"[0-9]{1,15}", seq):
            articles.setdefault(slug, []).append((entry_id, int(seq)))
        else:
            strays.append(entry_id)
    return Batch(articles, tuple(strays))
