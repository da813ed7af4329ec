"""Tells the newsroom of articles whose pages promise more than they keep: once a spell.

When an article will be overdue is noted by the commit that brought its last news; here is only when
to look. The script moves an article from one list to the other, and tells of it in the same step:
so renderers may race, die and come back.
"""

from __future__ import annotations

from typing import Any

import structlog
from redis.asyncio import Redis

from shared.article.formats import json
from shared.article.stored import load_head
from shared.contract.notices import OVERDUE
from shared.runtime.keys import Lane
from shared.runtime.metrics import count
from shared.runtime.scripts import Argument, Script

ARTICLES_A_LOOK = 100

_log = structlog.get_logger()


class Overdue:
    """Goes over a lane when it is asked to."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = Script("services.render", "overdue.lua")

    async def look(self, lane: Lane) -> None:
        """Tell of the articles of *lane* that are overdue by now, by the engine's clock."""
        async with self._redis.pipeline(transaction=False) as asked:
            asked.time()  # of the node that has the lane
            asked.zrange(lane.promised, 0, ARTICLES_A_LOOK - 1, withscores=True)
            (seconds, micros), first = await asked.execute()
        now = seconds * 1e3 + micros / 1e3
        for slug, since in first:
            if since <= now:
                await self._tell(lane, slug.decode(), int(since))

    async def _tell(self, lane: Lane, slug: str, since: int) -> None:
        keys = lane.article(slug)
        stored: Any = await self._redis.hget(keys.state, "head")
        try:
            head = load_head(stored or b"")
        except ValueError:  # whoever renders it next puts both right
            return
        words: list[Argument] = [slug, since, head.version, head.chain]
        words += [json.dumps(json.head(head)), OVERDUE]
        places = [lane.promised, lane.overdue, keys.article, lane.changes]
        if await self._script.run(self._redis, places, words):
            count("writethru_overdue_total")
            _log.info("article.overdue", article=slug, version=head.version)
