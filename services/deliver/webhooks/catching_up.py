"""Where an outbox has lost entries: the articles themselves say what has changed.

Seldom done, and it looks at every article of the lanes in question. A subscriber stands at a
version of each article that it was told of. Of another one it is told what was filed since the
place that had been reached, and an hour before, as that long an article may have waited for its
page: rather something twice than something not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from services.deliver.core.cursors import START, Place
from services.deliver.reading import Reading
from services.deliver.webhooks.registry import Subscribed
from shared.article.article import Head, Mark
from shared.article.stored import recorded_at
from shared.contract.canonical import short
from shared.contract.notices import OVERDUE
from shared.runtime.keys import ArticleKeys, Lane
from shared.runtime.ledgers import Ledgers
from shared.runtime.scripts import Script

MARGIN_MILLISECONDS = 3_600_000
ARTICLES_A_READ = 200
#: Each brings its event, which can be long.
EVENTS_A_READ = 100
_MARK = Script("services.deliver.webhooks", "mark.lua")


class CatchingUp:
    """Looks at all articles of some lanes."""

    def __init__(self, redis: Redis, reading: Reading, ledgers: Ledgers) -> None:
        self._redis = redis
        self._reading = reading
        self._ledgers = ledgers

    async def look(
        self, lanes: Sequence[Lane], places: Mapping[str, Place], subscribed: Sequence[Subscribed]
    ) -> None:
        """Note what each of *subscribed* lacks of the articles of *lanes*.

        *places* were reached; where one is missing, nobody knows how far we were.
        """
        slugs = await self._slugs(lanes, subscribed)
        for at in range(0, len(slugs), ARTICLES_A_READ):
            articles = await self._standing(slugs[at : at + ARTICLES_A_READ])
            marks = {keys.slug: mark for keys, mark in articles}
            for each in subscribed:
                named = [keys for keys, _ in articles if each.may_hear_of(keys.slug)]
                if named:
                    await self._note(each, named, marks, places)
            await self._note_overdue(articles, subscribed)

    async def _note(
        self,
        subscribed: Subscribed,
        articles: Sequence[ArticleKeys],
        marks: Mapping[str, Mark],
        places: Mapping[str, Place],
    ) -> None:
        told: Any = await self._redis.hmget(subscribed.keys.told, [keys.slug for keys in articles])
        rows: list[str] = []
        for keys, known in zip(articles, told, strict=True):
            stands = _mark(marks[keys.slug])
            if known is not None:
                if known.decode() != stands:
                    rows += [keys.slug, known.decode(), stands, "1", "known"]
                continue
            place = places.get(keys.lane.tag, START)
            start = await self._start(subscribed, keys, marks[keys.slug], place)
            if start is not None:
                rows += [keys.slug, str(start), stands, "1", "all"]
        if rows:
            await _MARK.run(self._redis, subscribed.keys.working, rows)

    async def _note_overdue(
        self, articles: Sequence[tuple[ArticleKeys, Mark]], subscribed: Sequence[Subscribed]
    ) -> None:
        """Note which are overdue, for those who ask for that."""
        asking = [each for each in subscribed if OVERDUE in each.record.kinds]
        for keys, mark in articles if asking else ():
            since = await self._redis.zscore(keys.lane.overdue, keys.slug)
            if since is None or not (head := await self._reading.snapshots.read_head(keys.slug)):
                continue
            row = [keys.slug, _mark(mark), str(int(since)), "", "overdue"]
            for each in asking:
                if each.may_hear_of(keys.slug) and _is_about(each, head):
                    await _MARK.run(self._redis, each.keys.working, row)

    async def _start(
        self, subscribed: Subscribed, keys: ArticleKeys, mark: Mark, place: Place
    ) -> int | None:
        """Return the version from which an article that was never told of is; None if it isn't."""
        created = subscribed.record.created.timestamp() * 1e3
        moment = max(float(place[0]), created) - MARGIN_MILLISECONDS
        if await self._recorded(keys.slug, mark.version) < moment:
            return None
        head = await self._reading.snapshots.read_head(keys.slug)
        if head is None or not _is_about(subscribed, head):
            return None
        low, high = 0, mark.version - 1  # how many events were filed before the moment
        while low < high:
            middle = (low + high + 1) // 2
            if await self._recorded(keys.slug, middle) < moment:
                low = middle
            else:
                high = middle - 1
        return low

    async def _recorded(self, slug: str, seq: int) -> float:
        found = await self._ledgers.read(slug, seq - 1, seq)
        return float((recorded_at(found[0]) if found else None) or 0)

    async def _slugs(
        self, lanes: Sequence[Lane], subscribed: Sequence[Subscribed]
    ) -> Sequence[str]:
        """Return the articles of *lanes*: those listed, those filed for of late, those told of.

        A killed one is in no list.
        """
        found: set[bytes] = set()
        for lane in lanes:
            found.update(await self._redis.zrange(lane.latest, 0, -1))  # type: ignore[arg-type]
            async for slug in self._filed_for(lane):
                found.add(slug)
        for each in subscribed:
            found.update(await self._redis.hkeys(each.keys.told))  # type: ignore[arg-type]
        among = set(lanes)
        slugs = (slug.decode() for slug in found)
        return sorted(slug for slug in slugs if self._reading.lanes.of(slug) in among)

    async def _filed_for(self, lane: Lane) -> AsyncIterator[bytes]:
        after = "-"
        while True:
            entries: Any = await self._redis.xrange(lane.events, after, "+", EVENTS_A_READ)
            for _, fields in entries:
                if slug := fields.get(b"article"):
                    yield slug
            if len(entries) < EVENTS_A_READ:
                return
            after = f"({entries[-1][0].decode()}"

    async def _standing(self, slugs: Sequence[str]) -> list[tuple[ArticleKeys, Mark]]:
        stands = await self._reading.stands(slugs)
        return [
            (self._reading.lanes.of(slug).article(slug), stand.mark)
            for slug, stand in zip(slugs, stands, strict=True)
            if stand
        ]


def _mark(mark: Mark) -> str:
    return f"{mark.version}.{short(mark.chain12)}"


def _is_about(subscribed: Subscribed, head: Head) -> bool:
    killed = head.status == "killed"
    return killed or subscribed.record.is_about(head.section, head.tags)
