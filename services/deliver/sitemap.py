"""The sitemap for news search, made anew once a minute, and when something has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.deliver.answers import Answer, listing
from services.deliver.core.negotiation import SITEMAP
from services.deliver.hub import Hub
from services.deliver.kept import Kept
from services.deliver.reading import Reading
from shared.article.formats import sitemap
from shared.runtime.clock import now

KEPT_BYTES = 2 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Sitemaps:
    """What is read are the thousand articles updated last, within the age that counts."""

    def __init__(self, reading: Reading, hub: Hub) -> None:
        self._reading = reading
        self._hub = hub
        self._kept: Kept[Answer] = Kept(KEPT_BYTES, "latest")

    async def news(self, public_url: str) -> Answer:
        """Return the sitemap of this minute.

        Raises:
            Busy: the engine does not answer.
        """
        minute = now().replace(second=0, microsecond=0)
        if not self._hub.following:
            return await self._make(minute, public_url)
        key = minute, self._hub.changed
        return await self._kept.get(key, lambda: self._make(minute, public_url))

    async def _make(self, minute: datetime, public_url: str) -> Answer:
        since = (minute - sitemap.AGE - _EPOCH) // _MICROSECOND
        newest, _ = await self._reading.newest(sitemap.LIMIT)
        slugs = [slug for updated, slug in newest if updated >= since]
        heads = await self._reading.heads(slugs) if slugs else []
        return listing(SITEMAP, sitemap.document(heads, minute, public_url))
