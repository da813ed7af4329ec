"""What deliver has read while an engine took over that had heard less: of the engine that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from services.deliver import memory as memories
from services.deliver.reading import Reading, Stand
from shared.runtime.engine import Engine
from tests.builders import SLUG, posted, published
from tests.integration.newsstand import Newsstand, open_newsstand

ARTICLE = f"/articles/{SLUG}"
PATHS = (ARTICLE, f"{ARTICLE}.txt", f"{ARTICLE}/pages/1", f"{ARTICLE}/changes?since=2")
LOST = "The tide has turned."

Held = Mapping[bytes, bytes]


class Engines:
    """An engine that becomes another one, with what *held* says, right after it was asked."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.next: Held | None = None

    async def holds(self) -> Held:
        """Return all but the outboxes, so that nobody hears of a change between two of them."""
        keys: Any = await self.redis.keys()
        dumps: dict[bytes, Any] = {}
        for key in keys:
            if not key.endswith(b":changes"):
                dumps[key] = await self.redis.dump(key)
        return dumps

    async def become(self, held: Held) -> None:
        gone = (await self.holds()).keys() - held.keys()
        async with self.redis.pipeline(transaction=True) as step:
            for key in gone:
                step.delete(key)
            for key, data in held.items():
                step.restore(key, 0, data, replace=True)
            await step.execute()

    async def asked(self) -> None:
        if held := self.next:
            self.next = None
            await self.become(held)


@pytest.fixture
def engines(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Engines:
    found, real = Engines(redis), Reading.stand

    async def stand(self: Reading, slug: str) -> Stand | None:
        before = await real(self, slug)
        await found.asked()
        return before

    monkeypatch.setattr(Reading, "stand", stand)
    monkeypatch.setattr(memories, "OFTEN", 0)  # everything is remembered at once
    return found


async def without_and_with_the_last(stand: Newsstand, engines: Engines) -> tuple[Held, Held]:
    """Publish two events; return what an engine holds that lacks the last, and one that has it."""
    await stand.publish(published(), posted("u1", "Ferries sail."))
    older = await engines.holds()
    await stand.publish(posted("u2", LOST))
    return older, await engines.holds()


@pytest.mark.parametrize("path", PATHS)
async def test_what_was_read_while_events_were_lost_is_not_shown_once_they_are_filed_again(
    redis: Redis, engine: Engine, engines: Engines, path: str
) -> None:
    async with open_newsstand(redis, engine.url) as stand:
        older, newer = await without_and_with_the_last(stand, engines)
        # given a reader who was answered by an engine that had lost the last event
        engines.next = older
        assert LOST not in (await stand.get(path)).text
        # when the same event is filed again
        await engines.become(newer)
        # then everybody has it
        for _ in range(3):
            assert LOST in (await stand.get(path)).text


@pytest.mark.parametrize("path", PATHS)
async def test_what_was_read_before_an_event_was_lost_is_not_shown_after(
    redis: Redis, engine: Engine, engines: Engines, path: str
) -> None:
    async with open_newsstand(redis, engine.url) as stand:
        older, newer = await without_and_with_the_last(stand, engines)
        await engines.become(older)
        # given a reader who was answered with an event that came meanwhile
        engines.next = newer
        assert LOST in (await stand.get(path)).text
        # when an engine takes over that never had it
        await engines.become(older)
        # then nobody is told of it
        for _ in range(3):
            assert LOST not in (await stand.get(path)).text
