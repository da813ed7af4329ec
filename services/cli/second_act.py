"""The demo's second act: an article that nobody files for, as it is pulled from a wire.

The wire says something new on the article's cadence, and falls silent in the end: so one sees the
page update by itself, and then say that there has been no news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from services.cli.coverage import Event
from services.cli.wire import NEWS, Wire
from shared.article.dates import rfc3339
from shared.article.punctual import overdue_after
from shared.runtime.clock import monotonic, now

SLUG = "trams-and-ferries"
CADENCE_SECONDS = 10.0
_LOOK_SECONDS = 0.2

#: Is told each update that the page has got, as it has it.
Tell = Callable[[dict[str, Any]], None]


def opening(url: str, cadence: int) -> Event:
    """Return the event that opens the article, whose source is at *url*."""
    return {
        "specversion": "1.0",
        "id": "trams-and-ferries-opens",
        "source": "/demo/desk",
        "type": "writethru.article.published",
        "subject": SLUG,
        "time": rfc3339(now()),
        "data": {
            "headline": "After the storm: which trams and ferries run",
            "body": "Nobody files for this article. Its updates are pulled from a wire.",
            "cadence_seconds": cadence,
            "pull": [{"name": "harbour-wire", "kind": "feed", "url": url}],
        },
    }


@dataclass(frozen=True, slots=True)
class SecondAct:
    """The act on *page*, with news each *cadence* seconds."""

    wire: Wire
    page: str
    cadence: int

    async def play(self, tell: Tell) -> None:
        """Have the wire say what it has to say, and tell what reaches the page, until it is all."""
        known: set[str] = set()
        began = monotonic()
        async with httpx2.AsyncClient(trust_env=False) as client:
            while len(known) < len(NEWS):
                said = len(self.wire.entries)
                if said < len(NEWS) and monotonic() - began >= said * self.cadence:
                    self.wire.say(NEWS[said], now())
                for update in await _updates(client, self.page):
                    if update["update_id"] not in known:
                        known.add(update["update_id"])
                        tell(update)
                await asyncio.sleep(_LOOK_SECONDS)

    @property
    def overdue_seconds(self) -> int:
        """How long after its last update the page says that there is none."""
        return overdue_after(self.cadence)


async def _updates(client: httpx2.AsyncClient, page: str) -> list[dict[str, Any]]:
    try:
        answer = await client.get(f"{page}.json")
    except httpx2.TransportError:
        return []
    if answer.status_code != httpx2.codes.OK:
        return []
    updates: list[dict[str, Any]] = answer.json()["updates"]
    return updates
