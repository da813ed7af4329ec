"""Which articles a reader of all of them wants to hear of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Topic:
    """Where a newsroom has put an article."""

    section: str | None = None
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wish:
    """One of *sections* and one of *tags*; where there are none, any."""

    sections: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def takes(self, topics: Collection[Topic]) -> bool:
        """Whether an article that has, or just had, *topics* is wanted; a kill, with none, is."""
        return not topics or any(
            (not self.sections or topic.section in self.sections)
            and (not self.tags or not self.tags.isdisjoint(topic.tags))
            for topic in topics
        )


def topic_of(facts: Mapping[str, Any]) -> Topic:
    """Read *facts*, a public head or what an entry says of the one before.

    Raises ValueError if they are not of that form.
    """
    section, tags = facts.get("section"), facts.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError("tags must be words")
    if section is not None and not isinstance(section, str):
        raise ValueError("section must be a word")
    return Topic(section, frozenset(tags))
