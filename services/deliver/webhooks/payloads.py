"""What a message says: made when it is sent, from the article as it is then.

So nothing that was taken back since can leave in a late attempt, and nothing is kept of copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from services.deliver.changes import ChangeFeed, News
from services.deliver.core.messages import TESTED, Message
from services.deliver.core.subscription import Subscription
from services.deliver.reading import Reading
from shared.article.article import Head
from shared.article.dates import rfc3339
from shared.article.formats import json
from shared.contract.notices import OVERDUE

#: A subscriber is told to load the article where what it lacks would be more than this.
MAX_DATA_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Payloads:
    """Makes bodies; raises Busy while an article can't be read."""

    reading: Reading
    feed: ChangeFeed
    public_url: str

    async def body(self, record: Subscription, article: str, message: Message, at: str) -> bytes:
        """Return the body of *message*, which was first to be sent *at* that time.

        Raises:
            Refused: there is no such article any more.
        """
        if record.payload == "thin" or message.reset or message.kind == OVERDUE:
            data = orjson.dumps(await self._thin(article, message))
        else:
            data = self._full(await self.feed.since(article, message.start), message)
        document = {"type": message.kind, "timestamp": at, "data": orjson.Fragment(data)}
        return orjson.dumps(document)

    async def _thin(self, article: str, message: Message) -> dict[str, Any]:
        async with self.reading.patience():
            head = await self.reading.snapshots.read_head(article)
        return _facts(article, message, head, self.public_url)

    def _full(self, news: News, message: Message) -> bytes:
        if news.kind != "nothing" and len(news.document) <= MAX_DATA_BYTES:
            return news.document
        facts = _facts(news.head.slug, message, news.head, self.public_url)
        return orjson.dumps({**facts, "reset": True})


def test_body(subscription_id: str, at: datetime) -> bytes:
    """Return the body of a test message."""
    data = {"subscription": subscription_id}
    return orjson.dumps({"type": TESTED, "timestamp": rfc3339(at), "data": data})


def moment_of(message: Message, at: datetime) -> str:
    """Return the time that *message* is of: when its last event was filed, if that is known."""
    if message.recorded is None:
        return rfc3339(at)
    return rfc3339(datetime.fromtimestamp(message.recorded / 1e3, UTC))


def _facts(article: str, message: Message, head: Head | None, public_url: str) -> dict[str, Any]:
    return {
        "article": article,
        "from": message.start.version,
        "to": message.to,
        "chain": message.chain,
        **({"reset": True} if message.reset else {}),
        "head": head and json.head(head),
        "kinds": list(message.kinds),
        "url": f"{public_url}/articles/{article}",
    }
