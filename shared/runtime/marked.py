"""Reading the few updates that an article's lists are made of, however many it has.

The lists (`noted`, `key_events`) are read in one step with the head; the updates that they name
are fetched afterwards. One that has changed since is of a later version than the head, and the
reading starts over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from shared.article.article import Body, Head, Update
from shared.article.editing import LISTED
from shared.article.stored import load_head
from shared.runtime.keys import ArticleKeys
from shared.runtime.lanes import Lanes
from shared.runtime.snapshots import FIELDS_A_READ, TRIES, Snapshots, Window, moving


class Marked:
    """A reader of all articles' lists, through the cache of *snapshots*."""

    def __init__(self, redis: Redis, lanes: Lanes, snapshots: Snapshots) -> None:
        self._redis = redis
        self._lanes = lanes
        self._snapshots = snapshots

    async def read_front(self, slug: str) -> Window | None:
        """Return those that a page shows wherever they stand, oldest first.

        That is the pinned update, the newest `LISTED` key events, and the updates of the newest
        `LISTED` corrections; one more of those tells that there are more. None where nothing has
        been rendered.

        Raises:
            Busy: the article changes faster than it can be read.
        """
        return await self._read(slug, noted=LISTED + 1, key_events=LISTED)

    async def read_noted(self, slug: str) -> Window | None:
        """Return every update with a note, as `read_front`."""
        return await self._read(slug, noted=0, key_events=None)

    async def _read(self, slug: str, noted: int, key_events: int | None) -> Window | None:
        keys = self._lanes.of(slug).article(slug)
        for _ in range(TRIES):
            async with self._redis.pipeline(transaction=True) as step:
                step.hmget(keys.state, "head", "archived", "refolded")
                step.zrevrange(keys.noted, 0, noted - 1)
                if key_events:
                    step.zrevrange(keys.key_events, 0, key_events - 1)
                (data, archived, refolded), *lists = await step.execute()
            if archived:
                shelved = await self._shelved(keys, archived)
                return await shelved._read(slug, noted, key_events)
            if data is None:
                return None
            head = load_head(data)
            ids = {update_id.decode() for names in lists for update_id in names}
            if key_events and head.pinned:
                ids.add(head.pinned)
            updates = await self._updates(keys, head, sorted(ids), refolded)
            if updates is not None:
                return Window(head, Body(), tuple(sorted(updates, key=lambda each: each.number)))
        raise moving(slug)

    async def _shelved(self, keys: ArticleKeys, name: bytes) -> Marked:
        client = await self._snapshots.shelves.client(keys, name)
        return Marked(client, self._lanes, Snapshots(client, self._lanes))

    async def _updates(
        self, keys: ArticleKeys, head: Head, ids: Sequence[str], refolded: bytes | None
    ) -> Sequence[Update] | None:
        """Return the updates named *ids* as they are at *head*; None if one has moved on."""
        refs: list[bytes | None] = []
        for start in range(0, len(ids), FIELDS_A_READ):
            some: Any = await self._redis.hmget(keys.updates, ids[start : start + FIELDS_A_READ])
            refs += some
        known = [ref.decode() for ref in refs if ref is not None]
        if len(known) < len(ids):
            return None
        updates = await self._snapshots.read_forms(keys, known, refolded)
        if updates is None or any(each.changed.version > head.version for each in updates):
            return None
        return updates
