"""The readers of one article: each version they are at is told of once, to all who are at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.deliver.changes import News
from services.deliver.faults import described
from services.deliver.streams import Reader
from shared.article.article import Mark
from shared.contract.errors import Refused, TryAgain
from shared.runtime.clock import monotonic
from shared.runtime.metrics import count, observe

#: No chain begins like this, not even by chance.
NOWHERE = "-" * 12
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0

log = structlog.get_logger()


class Channel:
    """Fans the changes of one article out.

    Readers stand in groups by the mark that they were told of last, so what a reader gets begins
    where the last thing it got ended, however far it is behind. One that can't take more stands
    aside until it has caught up; then it is told, in one, all that it has missed.
    """

    def __init__(self, slug: str, news_since: Callable[[str, Mark], Awaitable[News]]) -> None:
        self._slug = slug
        self._news_since = news_since
        self._at: dict[Reader, Mark] = {}
        self._groups: dict[Mark, set[Reader]] = {}
        self._aside: set[Reader] = set()
        self._newest: Mark | None = None
        self._told: Mark | None = None
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._at)

    def join(self, reader: Reader, mark: Mark) -> None:
        """Tell *reader*, who is at *mark*, of everything beyond it."""
        self._put(reader, mark)
        if mark != self._newest:
            self._woken.set()

    def leave(self, reader: Reader) -> None:
        """Forget *reader*."""
        mark = self._at.pop(reader, None)
        if mark is not None:
            self._take_out(reader, mark)
        self._aside.discard(reader)

    def announce(self, mark: Mark | None, *, refolded: bool = False) -> None:
        """The article has reached *mark*, or is not there any more.

        *refolded*: what readers have been told may not be so any more, so they have to load it.
        """
        self._newest = mark
        if refolded:
            for reader, told in list(self._at.items()):
                if reader not in self._aside:
                    self._take_out(reader, told)
                    self._put(reader, _nowhere(told))
                else:
                    self._at[reader] = _nowhere(told)
        self._woken.set()

    def caught_up(self, reader: Reader) -> None:
        """*reader* can take more again."""
        if reader in self._aside:
            self._aside.discard(reader)
            self._put(reader, self._at[reader])
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
            news = await self._news_since(self._slug, mark)
            self._tell(mark, news)
            self._told = news.to
            # How long those have waited who come back after a while says nothing about us.
            if mark == live and news.filed is not None:
                _when_sent(news.filed)

    def _tell(self, mark: Mark, news: News) -> None:
        told = 0
        for reader in list(self._groups.get(mark, ())):
            if news.kind != "nothing" and not reader.write(news.frame):
                self._take_out(reader, mark)
                self._aside.add(reader)
                continue
            told += 1
            if news.kind == "killed":
                self.leave(reader)
                reader.end()
            elif news.to != mark:
                self._take_out(reader, mark)
                self._put(reader, news.to)
        if news.kind != "nothing":
            count("writethru_frames_total", told, stream="article", event=news.kind)

    def _end_all(self) -> None:
        for reader in list(self._at):
            self.leave(reader)
            reader.end()

    def _put(self, reader: Reader, mark: Mark) -> None:
        self._at[reader] = mark
        self._groups.setdefault(mark, set()).add(reader)

    def _take_out(self, reader: Reader, mark: Mark) -> None:
        group = self._groups.get(mark)
        if group is not None:
            group.discard(reader)
            if not group:
                del self._groups[mark]


def _nowhere(mark: Mark) -> Mark:
    """Return a place in no history: whoever is there is told to load the article."""
    return Mark(max(mark.version, 1), NOWHERE)


def _when_sent(filed: float) -> None:
    """Measure how long it took from *filed* until all readers told just now have been sent it.

    Writing wakes a reader's task, and tasks have their turns in the order in which they were
    woken; this turn comes after theirs.
    """

    def measure() -> None:
        observe("writethru_delivery_seconds", monotonic() - filed)

    asyncio.get_running_loop().call_soon(measure)
