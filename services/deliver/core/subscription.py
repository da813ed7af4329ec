"""A subscription as a value: what somebody wants to be told of, and which changes that is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal

from shared.contract import acts
from shared.contract.notices import OVERDUE

Payload = Literal["thin", "full"]
Status = Literal["active", "paused", "disabled"]

#: Every kind of change, as events are called on the wire; and what is told of by that name only.
KINDS: tuple[str, ...] = (*acts.ACTS, OVERDUE)
#: What is told one by one, whatever came after it.
NEVER_COLLAPSED = frozenset(
    each.wire for each in (acts.Corrected, acts.Retracted, acts.Redacted, acts.Killed)
)


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """A secret as it is kept, sealed; one that was replaced lives on until *expires*."""

    sealed: str
    created: datetime
    expires: datetime | None = None

    def alive(self, now: datetime) -> bool:
        """Whether messages are signed with it at *now*."""
        return self.expires is None or now < self.expires


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is kept of one subscription beside its deliveries.

    *articles* are patterns as a key's; no *sections*, *tags* or *kinds* are all of them.
    *created_by* is a key's id, None for whoever runs the installation. *since* is a cursor: what
    the outboxes held before it is not told.
    """

    subscription_id: str
    url: str
    created: datetime
    secrets: tuple[SigningSecret, ...]
    since: str
    created_by: str | None = None
    name: str = ""
    articles: tuple[str, ...] = ("*",)
    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    payload: Payload = "thin"

    def names(self, article: str) -> bool:
        """Whether one of the patterns fits *article*."""
        return any(fnmatchcase(article, pattern) for pattern in self.articles)

    def asks_for(self, kind: str | None) -> bool:
        """Whether changes of *kind* are asked for."""
        return not self.kinds or kind in self.kinds

    def wants(self, kind: str | None) -> bool:
        """Whether whoever has been told of an article is told of *kind*: a kill is mandatory."""
        return self.asks_for(kind) or kind == acts.Killed.wire

    def is_about(self, section: str | None, tags: Collection[str]) -> bool:
        """Whether an article of *section* with *tags* is one of those asked for."""
        return (not self.sections or section in self.sections) and (
            not self.tags or not set(self.tags).isdisjoint(tags)
        )


def within(asked: Iterable[str], allowed: Collection[str]) -> str | None:
    """Return the first pattern of *asked* that may fit what none of *allowed* fits; else None.

    A pattern is within another if that one fits it read as a name, its wildcards included, which
    holds for stars and plain letters. Others are within only what they are equal to.
    """
    for pattern in asked:
        if pattern in allowed or "*" in allowed:
            continue
        plain = not set("[]?!") & set(pattern)
        stars = [each for each in allowed if not set("[]?!") & set(each)]
        if not (plain and any(fnmatchcase(pattern, each) for each in stars)):
            return pattern
    return None
