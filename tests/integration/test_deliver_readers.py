"""Many readers of a story that nobody thought of: in the end all have what is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random

import pytest
from redis.asyncio import Redis

from shared.runtime.engine import Engine
from tests.builders import SLUG
from tests.histories import Desk, some_acts
from tests.integration.follower import Follower
from tests.integration.newsstand import Newsstand, Stream, open_newsstand
from tests.waiting import until

ACTS = 80
ARTICLE = f"/articles/{SLUG}"


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url) as stand:
        yield stand


@dataclass
class Reader:
    """Loads the article once, and again only when told to; else it lives on what it is told."""

    stand: Newsstand
    chance: Random
    follower: Follower
    loads: int = 1

    @classmethod
    async def open(cls, stand: Newsstand, chance: Random) -> Reader:
        return cls(stand, chance, Follower(await stand.json()))

    async def load(self) -> None:
        self.follower = Follower(await self.stand.json())
        self.loads += 1

    async def follow(self) -> None:
        """Be on streams, for as long or short as chance has it, and off, until cancelled."""
        last = ""
        while True:
            since = f"{ARTICLE}/live?since={self.follower.since}"
            stream = await self.stand.live(since, last=self.chance.choice([last, ""]))
            assert stream.status == 200
            last = await self._listen(stream) or last
            stream.close()
            await asyncio.sleep(self.chance.random() * 0.03)

    async def _listen(self, stream: Stream) -> str:
        patience, last = self.chance.randrange(1, 12), ""
        for _ in range(patience):
            event = await stream.event(limit=60)
            assert event is not None
            if event.kind == "reset":
                await self.load()
                return ""
            self.follower.apply(event.data)
            last = event.id
            assert last == self.follower.since
        return last

    async def poll(self) -> None:
        """Ask for changes now and then, until cancelled."""
        while True:
            answer = await self.stand.get(f"{ARTICLE}/changes?since={self.follower.since}")
            if answer.status_code == 200 and answer.json()["reset"]:
                await self.load()
            elif answer.status_code == 200:
                self.follower.apply(answer.json())
            await asyncio.sleep(self.chance.random() * 0.05)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_and_however_they_come_and_go_readers_end_at_the_truth(stand, seed):
    # given readers on streams that break off, and readers that ask
    chance = Random(seed)
    desk = Desk()
    await stand.publish(*desk.history([]))
    readers = [await Reader.open(stand, Random(seed * 100 + each)) for each in range(8)]
    following = [
        asyncio.create_task(reader.follow() if place % 4 else reader.poll())
        for place, reader in enumerate(readers)
    ]

    # when a story goes its way, several events to a version now and then
    for envelope in desk.more(some_acts(chance, ACTS)):
        await stand.newsroom.file(envelope)
        if chance.random() < 0.8:
            await stand.store.render(SLUG)
        await asyncio.sleep(chance.choice([0, 0, 0.01]))
    await stand.store.render(SLUG)
    truth = await stand.json()

    # then every one of them has it
    def all_there() -> bool:
        for task in following:
            if task.done():
                task.result()
        return all(reader.follower.version == truth["version"] for reader in readers)

    try:
        await until(all_there)
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    for reader in readers:
        assert reader.follower.document == truth
