"""What a reader lacks is worked out once, and kept only for what the article was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.deliver.changes import ChangeFeed, as_facts
from services.deliver.reading import Stand
from services.deliver.standing import Standings
from shared.article.article import Head, Mark
from shared.runtime.snapshots import Changes

SLUG = "harbour-bridge"
CHAIN = "0123456789ab"


def head(version: int) -> Head:
    return Head(SLUG, version, CHAIN + "0" * 28, "live")


class Engine:
    """Reading, over an engine that is at *version*; *fail_over* comes between two questions."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.fail_over_to: int | None = None
        self.read = 0
        self.snapshots: Any = self

    def listen(self, _: object) -> None:
        """Have no changes to tell of."""

    async def stand(self, _: str) -> Stand:
        stand = Stand(self.version, CHAIN + "0" * 28, 2)
        if self.fail_over_to is not None:
            self.version, self.fail_over_to = self.fail_over_to, None
        return stand

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        yield

    async def changed_since(self, _: str, since: Mark) -> Changes:
        self.read += 1
        return Changes(head(self.version), reset=self.version < since.version)


async def test_readers_of_one_version_are_told_what_was_worked_out_once() -> None:
    engine: Any = Engine(3)
    feed = ChangeFeed(engine, as_facts, Standings(engine))

    told = [await feed.since(SLUG, Mark(1, CHAIN)) for _ in range(3)]

    assert [news.to.version for news in told] == [3, 3, 3]
    assert engine.read == 1


async def test_what_was_read_after_a_failover_is_not_kept_for_what_was_there_before() -> None:
    # given a reader who asked at version 3, and was answered by a replica that was at version 1
    engine: Any = Engine(3)
    engine.fail_over_to = 1
    feed = ChangeFeed(engine, as_facts, Standings(engine))
    assert (await feed.since(SLUG, Mark(1, CHAIN))).kind == "nothing"
    # when the same events have been filed again
    engine.version = 3
    # then it is told of them
    assert (await feed.since(SLUG, Mark(1, CHAIN))).kind == "change"
