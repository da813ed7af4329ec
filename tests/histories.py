"""Histories that nobody thought of: legal acts of a newsroom, chosen by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from tests import builders
from tests.builders import SLUG, Envelope

#: An act by name, and which of the updates it is about.
Act = tuple[str, int]

#: How often each is drawn by `some_acts`: posts most of all, turns of the page seldom.
ACTS = {
    "post": 8, "revise": 3, "correct": 3, "retract": 2, "pin": 4, "unpin": 2,
    "headline": 1, "body": 1, "close": 1, "reopen": 2, "turn": 1,
}  # fmt: skip


def some_acts(chance: Random, count: int) -> list[Act]:
    """Return *count* acts, not all of which will be legal."""
    names = chance.choices(list(ACTS), list(ACTS.values()), k=count)
    return [(name, chance.randrange(1_000)) for name in names]


class Desk:
    """Turns acts into envelopes of one article, leaving out what ingest would refuse."""

    def __init__(self, slug: str = SLUG, **facts: Any) -> None:
        self._slug = slug
        self._facts = facts
        self._serial = 0
        self._ids: list[str] = []
        self._retracted: set[str] = set()
        self._closed = False
        self._newest_first = False

    def history(self, acts: Sequence[Act]) -> Iterator[Envelope]:
        """Yield the opening of the article, then each act that is legal."""
        yield builders.published(slug=self._slug, **self._facts)
        yield from self.more(acts)

    def more(self, acts: Sequence[Act]) -> Iterator[Envelope]:
        """Yield each act that is legal after all that came before."""
        for name, which in acts:
            if envelope := self._envelope(name, which):
                yield envelope

    def _envelope(self, name: str, which: int) -> Envelope | None:
        self._serial += 1
        if name in ("revise", "correct", "retract", "pin", "unpin"):
            return self._about_update(name, which)
        return self._about_article(name)

    def _about_article(self, name: str) -> Envelope | None:
        said = f"Said {self._serial}."
        match name:
            case "post" if not self._closed:
                self._ids.append(f"u{len(self._ids) + 1}")
                return builders.posted(self._ids[-1], said, slug=self._slug)
            case "headline":
                return builders.writethru(headline=said, slug=self._slug)
            case "body":
                return builders.writethru(body=said, slug=self._slug)
            case "turn":
                self._newest_first = not self._newest_first
                order = "newest-first" if self._newest_first else "oldest-first"
                return builders.writethru(update_order=order, slug=self._slug)
            case "close" | "reopen":
                self._closed = name == "close"
                build = builders.closed if self._closed else builders.reopened
                return build(slug=self._slug)
        return None

    def _about_update(self, name: str, which: int) -> Envelope | None:
        live = [each for each in self._ids if each not in self._retracted]
        if not live:
            return None
        update_id, said = live[which % len(live)], f"Said {self._serial}."
        match name:
            case "revise":
                return builders.revised(update_id, text=said, slug=self._slug)
            case "correct":
                return builders.corrected(update_id, said, slug=self._slug)
            case "retract":
                self._retracted.add(update_id)
                return builders.retracted(update_id, slug=self._slug)
            case "pin":
                return builders.pinned(update_id, slug=self._slug)
        return builders.unpinned(update_id, slug=self._slug)
