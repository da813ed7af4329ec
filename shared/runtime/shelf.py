"""An archived article, read by the commands by which one in the engine is read.

So whatever reads articles shows an archived one by the same code, and gives the same bytes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from shared.contract.errors import Busy
from shared.runtime.archive import Archive, ArchiveError, Contents
from shared.runtime.clock import now
from shared.runtime.keys import ArticleKeys

#: Articles that were read last and are kept in memory: some megabytes each at most.
KEPT = 16

log = structlog.get_logger()


class _Reads:
    """The commands; what is done with an answer is up to who inherits."""

    def __init__(self, keys: ArticleKeys, contents: Contents) -> None:
        held = contents.held
        self._hashes = {getattr(keys, name): fields for name, fields in held.hashes.items()}
        self._sets = {getattr(keys, name): members for name, members in held.sets.items()}
        self._ledger = keys.ledger
        self._contents = contents

    def _told(self, answer: Any) -> Any:
        raise NotImplementedError

    def hget(self, key: str, field: str) -> Any:
        return self._told(self._hash(key).get(_bytes(field)))

    def hmget(self, key: str, *fields: Any) -> Any:
        names = fields[0] if len(fields) == 1 and not isinstance(fields[0], str) else fields
        return self._told([self._hash(key).get(_bytes(name)) for name in names])

    def zrangebyscore(self, key: str, low: str, _high: str, start: int, num: int) -> Any:
        """Return members from above *low*, which is `(<score>`; there is no upper end."""
        least = float(low.removeprefix("("))
        found = [name for name, score in self._ranked(key) if score > least]
        return self._told(found[start : start + num])

    def zrevrange(self, key: str, start: int, stop: int) -> Any:
        names = [name for name, _ in reversed(self._ranked(key))]
        return self._told(names[start:] if stop == -1 else names[start : stop + 1])

    def lindex(self, key: str, place: int) -> Any:
        records = self._contents.records if key == self._ledger else ()
        return self._told(records[place] if 0 <= place < len(records) else None)

    def time(self) -> Any:
        seconds = now().timestamp()
        return self._told((int(seconds), int(seconds % 1 * 1e6)))

    def _hash(self, key: str) -> Mapping[bytes, bytes]:
        return self._hashes.get(key, {})

    def _ranked(self, key: str) -> list[tuple[bytes, float]]:
        members = self._sets.get(key, {}).items()
        return sorted(members, key=lambda member: (member[1], member[0]))


class Shelf(_Reads):
    """Stands where a client stands, for one article."""

    async def _answer(self, answer: Any) -> Any:
        return answer

    def _told(self, answer: Any) -> Any:
        return self._answer(answer)

    def pipeline(self, *, transaction: bool) -> _Step:
        """Return several commands in one step."""
        del transaction  # nothing comes between
        step = _Step.__new__(_Step)
        step.__dict__.update(self.__dict__)
        step.answers = []
        return step


class _Step(_Reads):
    """Commands that are answered together."""

    answers: list[Any]

    async def __aenter__(self) -> _Step:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def _told(self, answer: Any) -> Any:
        self.answers.append(answer)

    async def execute(self) -> Sequence[Any]:
        """Return the answers in the order of the commands."""
        return self.answers


class Shelves:
    """All archived articles; the last ones are kept at hand. None: there is no *archive* here."""

    def __init__(self, archive: Archive | None) -> None:
        self._archive = archive
        self._kept: OrderedDict[str, Contents] = OrderedDict()

    async def client(self, keys: ArticleKeys, name: bytes) -> Redis:
        """Return what reads the article of *keys* in the file *name*.

        Raises:
            Busy: it can't be read.
        """
        return cast("Redis", Shelf(keys, await self.contents(name.decode())))

    async def contents(self, name: str) -> Contents:
        """Return the file *name*, as it is.

        Raises:
            Busy: it can't be read.
        """
        if (found := self._kept.get(name)) is None:
            found = await asyncio.to_thread(self._read, name)
            self._kept[name] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return found

    def _read(self, name: str) -> Contents:
        try:
            if self._archive is None:
                raise ArchiveError("WRITETHRU_ARCHIVE_DIR is not set here")
            return self._archive.read(name)
        except ArchiveError as error:
            log.error("archive.unread", file=name, reason=str(error))
            said = "The article is archived and can't be read at the moment; try again later."
            raise Busy(said) from None


def _bytes(name: Any) -> bytes:
    return name.encode() if isinstance(name, str) else name
