"""Coverages that newsrooms would file: one article each, from a seed, event by event."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from shared.article.dates import rfc3339
from tests import builders
from tests.builders import Envelope

#: Articles with one event ever: later traffic would hide that nobody was woken for them.
COLD_SHARE = 0.15
KILLED_SHARE = 0.04
EMBARGO_SECONDS = 0.5, 4.0
LENGTHS = 10, 140


def story(slug: str, seed: str) -> Iterator[Envelope]:
    """Yield the events of one article, in the order in which they are filed; ids are by place."""
    chances = random.Random(seed)
    length = 1 if chances.random() < COLD_SHARE else chances.randint(*LENGTHS)
    killed = length > 1 and chances.random() < KILLED_SHARE
    events = _events(slug, chances, length)
    for place, event in enumerate(events, 1):
        yield event | {"id": f"{slug}-{place}"}
    if killed:
        yield builders.killed(slug=slug, id=f"{slug}-{length + 1}")


def _events(slug: str, chances: random.Random, length: int) -> Iterator[Envelope]:
    yield builders.published(f"The story of {slug}", f"What is known of {slug}.", slug=slug)
    live: list[str] = []
    for place in range(2, length + 1):
        yield _next(slug, chances, f"u{place}", live)


def _next(slug: str, chances: random.Random, name: str, live: list[str]) -> Envelope:
    """Return an act on one of the *live* updates, or a post, which is one of them from then on."""
    act = chances.random()
    target = chances.choice(live) if live else None
    if target and act < 0.10:
        return builders.corrected(target, f"Rather {name}.", slug=slug)
    if target and act < 0.16:
        live.remove(target)
        return builders.retracted(target, slug=slug)
    if target and act < 0.20:
        return builders.revised(target, text=f"Revised for {name}.", slug=slug)
    if target and act < 0.23:
        return builders.pinned(target, slug=slug)
    if act < 0.26:
        return builders.writethru(headline=f"The story of {slug}, as of {name}", slug=slug)
    if act < 0.30:  # nothing acts on it, so nothing has to wait for it
        due = datetime.now(UTC) + timedelta(seconds=chances.uniform(*EMBARGO_SECONDS))
        return builders.posted(
            name, f"Under embargo: {name}.", slug=slug, embargo_until=rfc3339(due)
        )
    live.append(name)
    return builders.posted(name, f"News {name} of {slug}.", slug=slug)
