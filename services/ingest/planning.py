"""Which sources are pulled, and when next: worked out anew whenever that may have changed.

Whatever may change it (an event about the article, an operator's word) leaves the slug among the
ticks in the same step, so nothing is lost with who was about to plan. Done twice it changes
nothing: a tick that stands where it belongs is left alone, with its lease or its rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from redis.asyncio import Redis

from services.ingest.core.ticks import Grid, Pulse, identity, loaded
from services.ingest.sources.records import Records, Stand
from shared.article.article import Head
from shared.article.stored import load_head
from shared.contract.sources import Source
from shared.runtime.keys import ArticleKeys
from shared.runtime.scripts import Script

#: How often to look again at an article whose page is behind what was filed.
AGAIN_MS = 500

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = Script("services.ingest", "tick.lua")
_log = structlog.get_logger()


def member(slug: str, name: str) -> str:
    """Return what a source is called among its lane's ticks."""
    return f"{slug} {name}"


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the ticks of articles."""

    redis: Redis
    records: Records

    async def plan(self, keys: ArticleKeys, due: float, now: float) -> None:
        """Set the ticks of an article's sources; *due* is when that was to be done."""
        async with self.redis.pipeline(transaction=True) as asked:
            asked.hmget(keys.article, "status", "seq", "version")
            asked.hget(keys.state, "head")
            asked.hgetall(keys.pulses)
            (status, seq, version), head, pulses = await asked.execute()
        known = {name.decode(): loaded(text) for name, text in pulses.items()}
        grid = grid_of(keys.slug, _head(head)) if status == b"live" else None
        sources = await self._wanted(keys.slug) if grid else {}
        for name in known.keys() - sources.keys():
            await self._end(keys, name)
        for name, source in sources.items():
            if grid is None:
                break
            await self._set(keys, source, known.get(name), grid, now)
        behind = status == b"live" and int(version or 0) < int(seq or 0)
        again = int(now + AGAIN_MS) if behind else ""
        await self.move(keys, keys.slug, due, again)

    async def move(
        self,
        keys: ArticleKeys,
        who: str,
        due: float | None,
        then: int | str,
        name: str = "",
        pulse: Pulse | str = "",
    ) -> bool:
        """Move the tick of *who* that was *due*, as tick.lua says; False if somebody else did."""
        said = pulse.dumps() if isinstance(pulse, Pulse) else pulse
        since = pulse.since if isinstance(pulse, Pulse) and pulse.failures else ""
        was = "" if due is None else f"{due:.0f}"
        places = [keys.lane.ticks, keys.pulses, keys.lane.failing]
        return bool(await _TICK.run(self.redis, places, [who, was, then, name, said, since]))

    async def _wanted(self, slug: str) -> dict[str, Source]:
        listed = [each for each in await self.records.everyone(slug) if not each.word.paused]
        return {each.source.name: each.source for each in listed}

    async def _end(self, keys: ArticleKeys, name: str) -> None:
        who = member(keys.slug, name)
        due = await self.redis.zscore(keys.lane.ticks, who)
        await self.move(keys, who, due, "", name, "-")

    async def _set(
        self, keys: ArticleKeys, source: Source, known: Pulse | None, grid: Grid, now: float
    ) -> None:
        who, its = member(keys.slug, source.name), identity(source.kind, source.url)
        due = await self.redis.zscore(keys.lane.ticks, who)
        # What is new is pulled soon; from then on its ticks are those of the article.
        soon = max(int(now), grid.origin) + grid.jitter
        if known is None or known.source != its:
            known = Pulse(its, 0, 0)
        stand, _ = await self.records.stand(keys.slug, source)
        if known.failures and _succeeded_since(stand, known.since):
            known = Pulse(its, 0, 0)  # by hand
        stays = (known.origin, known.cadence) == (grid.origin, grid.cadence)
        if due is None and stand.gone:
            return
        if due is not None and stays:
            return
        then = max(grid.after(now) if known.cadence else soon, known.rests)
        if await self.move(keys, who, due, then, source.name, known.on(grid)):
            _log.info("source.planned", article=keys.slug, name=source.name)


def _succeeded_since(stand: Stand, since: int) -> bool:
    return stand.succeeded is not None and stand.succeeded.timestamp() * 1e3 > since


def grid_of(slug: str, head: Head | None) -> Grid | None:
    """Return on which grid an article's sources are pulled; None where none is."""
    if head is None or head.status != "live" or head.cadence_seconds is None:
        return None
    began = head.published_at or head.opened_at
    if began is None:
        return None
    origin = (began - _EPOCH) // timedelta(milliseconds=1)
    return Grid(slug, origin, head.cadence_seconds * 1_000)


def _head(stored: bytes | None) -> Head | None:
    try:
        return load_head(stored) if stored else None
    except ValueError:
        return None


def split(who: bytes) -> tuple[str, str]:
    """Return the slug and the source's name of a tick; no name asks for a plan."""
    slug, _, name = who.decode().partition(" ")
    return slug, name


def due_among(found: Iterable[tuple[bytes, float]], now: float) -> list[tuple[str, str, float]]:
    """Return slug, name and time of the ticks that are due by *now*."""
    return [(*split(who), at) for who, at in found if at <= now]
