"""Telling all readers of one article what each of them lacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from services.deliver.changes import News
from services.deliver.channel import Channel
from shared.article.article import Head, Mark
from shared.contract.errors import Busy, Refused
from tests.waiting import until

SLUG = "harbour-bridge"


def mark(version: int) -> Mark:
    return Mark(version, f"{version:012x}")


@dataclass
class Article:
    """An article that moves on when told to; a frame says from where to where it tells."""

    version: int = 1
    killed: bool = False
    error: Exception | None = None
    asked: list[Mark] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    async def since(self, slug: str, since: Mark) -> News:
        self.asked.append(since)
        to, head = mark(self.version), Head(slug, self.version)
        await self.answering.wait()
        if self.error:
            raise self.error
        if since == to:
            return News("nothing", to, head)
        frame = f"{since.version}-{to.version}".encode()
        return News("killed" if self.killed else "change", to, head, frame=frame)

    async def fresh(self, slug: str, since: Mark) -> News:
        return await self.since(slug, since)


class Reader:
    """A reader that has room for some frames, or for any number."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.got: list[str] = []
        self.ended = False

    def write(self, frame: bytes) -> bool:
        if len(self.got) >= self.room:
            return False
        self.got.append(frame.decode())
        return True

    def beat(self) -> None: ...

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def article() -> Article:
    return Article()


@pytest.fixture
async def channel(article: Article) -> AsyncIterator[Channel]:
    channel = Channel(SLUG, article)
    running = asyncio.create_task(channel.run())
    yield channel
    running.cancel()


async def quiet() -> None:
    """Let the channel do all that it has to do."""
    for _ in range(50):
        await asyncio.sleep(0)


def moves_to(article: Article, channel: Channel, version: int) -> None:
    article.version = version
    channel.announce(mark(version))


async def test_readers_at_the_same_version_share_one_frame(article, channel):
    readers = [Reader() for _ in range(100)]
    for reader in readers:
        channel.join(reader, mark(1))
    await quiet()
    article.asked.clear()

    moves_to(article, channel, 2)
    await quiet()

    assert {tuple(reader.got) for reader in readers} == {("1-2",)}
    assert article.asked == [mark(1)]


async def test_readers_at_different_versions_each_get_what_they_lack(article, channel):
    article.version = 5
    readers = {version: Reader() for version in (1, 3, 5)}
    for version, reader in readers.items():
        channel.join(reader, mark(version))
    await quiet()

    moves_to(article, channel, 6)
    await quiet()

    assert [reader.got for reader in readers.values()] == [["1-5", "5-6"], ["3-5", "5-6"], ["5-6"]]


async def test_a_change_announced_while_another_is_told_is_not_lost(article, channel):
    reader = Reader()
    channel.join(reader, mark(1))
    await quiet()

    article.answering.clear()
    moves_to(article, channel, 2)
    await quiet()
    moves_to(article, channel, 3)
    article.answering.set()
    await quiet()

    assert reader.got == ["1-2", "2-3"]


async def test_an_announcement_of_what_was_told_already_tells_nothing(article, channel):
    reader = Reader()
    channel.join(reader, mark(1))
    moves_to(article, channel, 4)
    await quiet()

    channel.announce(mark(3))
    channel.announce(mark(4))
    await quiet()

    assert reader.got == ["1-4"]


async def test_a_reader_that_can_not_take_more_is_told_in_one_what_it_missed(article, channel):
    slow, quick = Reader(room=1), Reader()
    for reader in (slow, quick):
        channel.join(reader, mark(1))
    for version in (2, 3, 4, 5):
        moves_to(article, channel, version)
        await quiet()
    assert slow.got == ["1-2"]

    slow.room = 2
    channel.caught_up(slow)
    await quiet()

    assert slow.got == ["1-2", "2-5"]
    assert quick.got == ["1-2", "2-3", "3-4", "4-5"]


async def test_nothing_is_worked_out_for_readers_that_can_take_no_more(article, channel):
    channel.join(Reader(room=0), mark(1))
    moves_to(article, channel, 2)
    await quiet()
    article.asked.clear()

    moves_to(article, channel, 3)
    await quiet()

    assert article.asked == []


async def test_a_kill_is_the_last_that_a_reader_is_told(article, channel):
    reader = Reader()
    channel.join(reader, mark(1))
    article.killed = True
    moves_to(article, channel, 2)
    await quiet()

    moves_to(article, channel, 3)
    await quiet()

    assert reader.got == ["1-2"]
    assert reader.ended
    assert not len(channel)


async def test_while_the_article_can_not_be_read_readers_wait(article, channel):
    reader = Reader()
    channel.join(reader, mark(1))
    article.error = Busy("away")
    moves_to(article, channel, 2)
    await until(lambda: len(article.asked) >= 3)
    assert not reader.ended

    article.error = None
    await until(lambda: reader.got)

    assert reader.got == ["1-2"]


@pytest.mark.parametrize("error", [Refused("unknown-article", "gone"), ZeroDivisionError()])
async def test_readers_of_what_can_not_be_told_any_more_are_sent_away(article, channel, error):
    reader, later = Reader(), Reader()
    channel.join(reader, mark(1))
    await quiet()
    article.error = error
    channel.announce(None)
    await quiet()
    assert reader.ended

    article.error = None
    channel.join(later, mark(1))
    moves_to(article, channel, 2)
    await quiet()

    assert later.got == ["1-2"]


async def test_one_who_has_left_is_told_nothing(article, channel):
    ready, aside = Reader(), Reader(room=0)
    for reader in (ready, aside):
        channel.join(reader, mark(1))
    moves_to(article, channel, 2)
    await quiet()
    ready.got.clear()
    for reader in (ready, aside):
        channel.leave(reader)

    aside.room = 10
    channel.caught_up(aside)
    moves_to(article, channel, 3)
    await quiet()

    assert ready.got == aside.got == []
    assert not len(channel)


async def test_a_reader_that_told_no_chain_is_where_its_version_is(article, channel):
    reader = Reader()
    article.version = 4
    channel.join(reader, Mark(1))
    await quiet()

    moves_to(article, channel, 5)
    await quiet()

    assert reader.got == ["1-4", "4-5"]
