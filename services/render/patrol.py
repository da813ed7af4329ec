"""The patrol: finds articles that an older fold has stored, and folds them anew, a few at a time.

Idle articles would stay as they are for ever, and `verify` would find them other than their ledgers
give them. It goes round without end, so it doesn't matter which renderers ran when.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from services.render.rendering import Rendering
from shared.article.fold import FOLD_REVISION
from shared.runtime.keys import Lane
from shared.runtime.metrics import count

#: How many articles of a lane are looked at a round, roughly, and how many folded anew at most.
ARTICLES_A_ROUND = 20
FOLDS_A_ROUND = 5


class Patrol:
    """Goes over the articles of all lanes; killed ones have no copy to be folded anew."""

    def __init__(self, redis: Redis, rendering: Rendering) -> None:
        self._redis = redis
        self._rendering = rendering
        self._cursors: dict[str, int] = {}
        self._found: dict[str, list[str]] = {}

    async def look(self, lane: Lane) -> None:
        """Do one round in *lane*."""
        found = self._found.pop(lane.tag, None) or await self._older(lane)
        for slug in found[:FOLDS_A_ROUND]:
            if await self._rendering.render(slug):
                count("writethru_articles_refolded_total")
        if found[FOLDS_A_ROUND:]:
            self._found[lane.tag] = found[FOLDS_A_ROUND:]

    async def _older(self, lane: Lane) -> list[str]:
        """Return which of the next articles are of an older fold; archived ones stay so."""
        answer: Any = await self._redis.zscan(
            lane.latest, self._cursors.get(lane.tag, 0), count=ARTICLES_A_ROUND
        )
        cursor, entries = answer
        self._cursors[lane.tag] = int(cursor)
        slugs = [slug.decode() for slug, _ in entries]
        async with self._redis.pipeline(transaction=False) as asked:
            for slug in slugs:
                asked.hmget(lane.article(slug).article, "rev", "archived")
            answers: list[Any] = await asked.execute()
        return [
            slug
            for slug, (rev, archived) in zip(slugs, answers, strict=True)
            if rev and int(rev) < FOLD_REVISION and not archived
        ]
