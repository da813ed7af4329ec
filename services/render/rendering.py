"""Rendering what wake-ups name: several articles at a time, each once, and never in vain.

Nothing raises here. What fails stays dirty, and the sweeper takes it up again; so does what waits
in a burst, if whoever lets it wait dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.render.core.filed import LedgerError
from services.render.core.pace import Pace, may_wait
from services.render.core.trust import DistrustedError, Trust
from services.render.core.wakeups import Entry, Wakeup, batch
from services.render.store import Store
from shared.runtime.clock import monotonic
from shared.runtime.failpoints import failpoint
from shared.runtime.keys import RENDER_GROUP, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.metrics import count, show

ARTICLES_AT_ONCE = 16

#: How wake-ups came to us: from the stream, or from somebody who took and left them.
Taken = Literal["read", "stranded"]

log = structlog.get_logger()


class Rendering:
    """The one way from wake-ups to the store, for reader and sweeper alike."""

    def __init__(self, redis: Redis, lanes: Lanes, store: Store) -> None:
        self._redis = redis
        self._lanes = lanes
        self._store = store
        self._turns = asyncio.Semaphore(ARTICLES_AT_ONCE)
        self._pace = Pace()
        self._waiting: dict[str, list[Wakeup]] = {}
        self._later: set[asyncio.Task[None]] = set()

    def trust(self, lane: Lane) -> Trust:
        """Return whether what we fold may be committed in *lane*."""
        return self._store.trust[lane.tag]

    def fault(self) -> str | None:
        """Say which lanes are stopped, and what to do; None while none is."""
        stopped = [(tag, trust.stopped) for tag, trust in self._store.trust.items()]
        said = [f"lane {tag} is stopped: {why}" for tag, why in stopped if why]
        remedy = "; put a version in place that folds them, events wait until then"
        return "; ".join(said) + remedy if said else None

    async def take(self, lane: Lane, entries: Sequence[Entry], taken: Taken = "read") -> None:
        """Render the articles that *entries* of *lane* name; ack what names none."""
        count("writethru_wakeups_total", len(entries), taken=taken)
        failpoint("render.after_read")
        found, said = batch(entries), dict(entries)
        strays = list(found.strays)
        renders = []
        for slug, wakeups in found.articles.items():
            if self._lanes.of(slug) == lane:
                its = (said[name] for name, _ in wakeups)
                if taken == "read" and (wait := self._wait(slug, its)):
                    self._postpone(slug, wakeups, wait)
                else:
                    renders.append(self._render_now(slug, wakeups))
            else:
                strays += [entry_id for entry_id, _ in wakeups]
        if strays:
            await self._drop(lane, strays)
        await asyncio.gather(*renders)

    def _wait(self, slug: str, said: Iterable[Mapping[bytes, bytes]]) -> float:
        """Return for how long an article has to wait for its turn, as it is in a burst."""
        wait = self._pace.wait(slug, monotonic())
        return wait if wait and all(map(may_wait, said)) else 0.0

    def _postpone(self, slug: str, wakeups: Sequence[Wakeup], wait: float) -> None:
        if slug in self._waiting:
            self._waiting[slug] += wakeups
            return
        self._waiting[slug] = list(wakeups)
        task = asyncio.create_task(self._render_later(slug, wait))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _render_later(self, slug: str, wait: float) -> None:
        await asyncio.sleep(wait)
        if slug in self._waiting:
            await self._render_now(slug, ())

    async def _render_now(self, slug: str, wakeups: Sequence[Wakeup]) -> None:
        self._pace.committed(slug, monotonic())
        await self.render(slug, [*self._waiting.pop(slug, ()), *wakeups])

    async def settle(self) -> None:
        """Render what waits for its turn."""
        await asyncio.gather(*(self._render_now(slug, ()) for slug in list(self._waiting)))

    async def render(self, slug: str, wakeups: Sequence[Wakeup] = ()) -> bool:
        """Bring one article up to its ledger; return whether that worked."""
        lane = self._lanes.of(slug)
        async with self._turns:
            if self.trust(lane).stopped:
                return False
            try:
                await self._store.render(slug, wakeups)
            except DistrustedError:
                self._stopped(lane)
            except (RedisError, LedgerError) as error:
                log.warning("article.postponed", article=slug, reason=str(error))
            except Exception as error:  # noqa: BLE001 -- one article must not stop the others
                # Its words could be copy.
                log.error("article.failed", article=slug, error=type(error).__name__)
            else:
                return True
        count("writethru_renders_failed_total")
        return False

    def _stopped(self, lane: Lane) -> None:
        """Tell of a lane that was stopped, as often as an article is left there for it: rarely."""
        log.critical("lane.stopped", lane=lane.tag, reason=self.trust(lane).stopped)
        stopped = sum(bool(trust.stopped) for trust in self._store.trust.values())
        show("writethru_lanes_stopped", stopped)

    async def _drop(self, lane: Lane, strays: Sequence[str]) -> None:
        try:
            await self._redis.xack(lane.events, RENDER_GROUP, *strays)
        except RedisError as error:
            log.warning("wakeup.postponed", lane=lane.tag, reason=str(error))
        else:
            log.warning("wakeup.dropped", lane=lane.tag, entries=strays)
