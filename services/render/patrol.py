"""The patrol: finds articles that an older fold has stored, and folds them anew, a few at a time.

Idle articles would stay as they are for ever, and `verify` would find them other than their ledgers
give them. It goes round without end, so it doesn't matter which renderers ran when.

On its first round it also looks after live articles of which nobody knows when news is due, as they
were committed before that was noted: the silent ones would never be found overdue.
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
        self._known: set[str] = set()

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
                asked.hmget(lane.article(slug).article, "rev", "archived", "status")
                asked.zscore(lane.due, slug)
            answers: list[Any] = await asked.execute()
        facts = list(zip(slugs, answers[0::2], answers[1::2], strict=True))
        if lane.tag not in self._known:
            for slug, (_, archived, status), due in facts:
                if due is None and status == b"live" and not archived:
                    await self._rendering.render(slug)  # an acknowledgement notes it, too
        if not cursor:
            self._known.add(lane.tag)
        return [
            slug
            for slug, (rev, archived, _), _ in facts
            if rev and int(rev) < FOLD_REVISION and not archived
        ]
