"""The readers of one article: each version they are at is told of once, to all who are at it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import structlog

from services.deliver.changes import News
from services.deliver.faults import described
from services.deliver.streams import Reader
from shared.article.article import Mark
from shared.contract.errors import Refused, TryAgain
from shared.runtime.clock import monotonic
from shared.runtime.metrics import count, move, observe

#: No chain begins like this, not even by chance.
NOWHERE = "-" * 12
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0

log = structlog.get_logger()


class Feed(Protocol):
    """Knows what readers lack; both raise Refused where there is no article, and TryAgain."""

    async def since(self, slug: str, since: Mark) -> News:
        """Return what a reader at *since* lacks, as it may have been asked before."""
        ...

    async def fresh(self, slug: str, since: Mark) -> News:
        """Return the same, for who knows that it was not."""
        ...


class _Group:
    """Readers who were told of the same *mark* last; a dict, which takes a third of a set."""

    __slots__ = ("mark", "readers")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.readers: dict[Reader, None] = {}


class Channel:
    """Fans the changes of one article out.

    Readers stand in groups by the mark that they were told of last, so what a reader gets begins
    where the last thing it got ended, however far it is behind. One that can't take more stands
    aside until it has caught up; then it is told, in one, all that it has missed.
    """

    def __init__(self, slug: str, feed: Feed) -> None:
        self._slug = slug
        self._feed = feed
        self._at: dict[Reader, _Group] = {}
        self._groups: dict[Mark, _Group] = {}
        self._aside: dict[Reader, Mark] = {}
        self._newest: Mark | None = None
        self._told: Mark | None = None
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._at) + len(self._aside)

    def join(self, reader: Reader, mark: Mark) -> None:
        """Tell *reader*, who is at *mark*, of everything beyond it."""
        self._put(reader, mark)
        if mark != self._newest:
            self._woken.set()

    def leave(self, reader: Reader) -> None:
        """Forget *reader*."""
        if group := self._at.pop(reader, None):
            group.readers.pop(reader, None)
            if not group.readers:
                self._groups.pop(group.mark, None)
        elif self._aside.pop(reader, None):
            move("writethru_readers_aside", -1)

    def announce(self, mark: Mark | None, *, refolded: bool = False) -> None:
        """The article has reached *mark*, or is not there any more.

        *refolded*: what readers have been told may not be so any more, so they have to load it.
        """
        self._newest = mark
        if refolded:
            for group in list(self._groups.values()):
                self._move(group, _nowhere(group.mark))
            self._aside = {reader: _nowhere(told) for reader, told in self._aside.items()}
        self._woken.set()

    def caught_up(self, reader: Reader) -> None:
        """*reader* can take more again."""
        if told := self._aside.pop(reader, None):
            move("writethru_readers_aside", -1)
            self._put(reader, told)
            self._woken.set()

    async def run(self) -> None:
        """Tell readers until cancelled; while the engine is away they wait."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._tell_all()
                pause = FIRST_PAUSE_SECONDS
            except TryAgain:
                self._woken.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            except Refused:
                self._end_all()
            except Exception as error:  # noqa: BLE001 -- its readers come back; silence is worse
                log.error("channel.failed", article=self._slug, **described(error))
                self._end_all()

    async def _tell_all(self) -> None:
        live = self._told
        for mark in [mark for mark in self._groups if mark != self._newest]:
            # Nobody has been told yet what those lack who were told last.
            ask = self._feed.fresh if mark == live else self._feed.since
            news = await ask(self._slug, mark)
            self._tell(mark, news)
            self._told = news.to
            # How long those have waited who come back after a while says nothing about us.
            if mark == live and news.filed is not None:
                observe("writethru_delivery_seconds", monotonic() - news.filed)

    def _tell(self, mark: Mark, news: News) -> None:
        group = self._groups.get(mark)
        if group is None:
            return
        if news.kind != "nothing":
            full = [reader for reader in group.readers if not reader.write(news.frame)]
            for reader in full:
                self._set_aside(reader, mark)
            told = len(group.readers)
            count("writethru_frames_total", told, stream="article", event=news.kind)
        if news.kind == "killed":
            self._end(list(group.readers))
        elif group.readers:
            self._move(group, news.to)

    def _end_all(self) -> None:
        self._end([*self._at, *self._aside])

    def _end(self, readers: Iterable[Reader]) -> None:
        for reader in readers:
            self.leave(reader)
            reader.end()

    def _put(self, reader: Reader, mark: Mark) -> None:
        group = self._groups.get(mark)
        if group is None:
            group = self._groups[mark] = _Group(mark)
        group.readers[reader] = None
        self._at[reader] = group

    def _set_aside(self, reader: Reader, mark: Mark) -> None:
        self.leave(reader)
        self._aside[reader] = mark
        move("writethru_readers_aside", 1)

    def _move(self, group: _Group, mark: Mark) -> None:
        """Have all of *group* be at *mark*, with those who are there already."""
        if mark == group.mark:
            return
        del self._groups[group.mark]
        there = self._groups.get(mark)
        if there is None:
            group.mark = mark
            self._groups[mark] = group
            return
        for reader in group.readers:
            self._at[reader] = there
        there.readers |= group.readers


def _nowhere(mark: Mark) -> Mark:
    """Return a place in no history: whoever is there is told to load the article."""
    return Mark(max(mark.version, 1), NOWHERE)
