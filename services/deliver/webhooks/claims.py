"""Articles that a subscription is to be told of: taken for a while, and settled.

Who has taken one and dies leaves it to be taken again when the lease has ended, with the same
message under the same id; who was merely late can't settle it any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from services.deliver.core.messages import Message
from services.deliver.webhooks.registry import Subscribed
from shared.article.article import Mark
from shared.runtime.clock import new_name
from shared.runtime.scripts import Argument, Script

#: How many attempts, and messages that were given up, are kept of a subscription.
RECENT, DEAD = 100, 1_000
#: How many articles a subscription is told of at once, by all processes; one that fails, of one.
AT_ONCE, AT_ONCE_FAILING = 8, 1

_PACKAGE = "services.deliver.webhooks"
_CLAIM = Script(_PACKAGE, "claim.lua")
_SETTLE = Script(_PACKAGE, "settle.lua")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message with its id and the time it is of, as it stays for all its attempts."""

    message_id: str
    at: str
    message: Message

    def dumps(self) -> str:
        """Return it as it is kept."""
        return orjson.dumps(self.facts()).decode()

    def facts(self) -> dict[str, Any]:
        """Return it as it is kept, before it is text."""
        told = self.message
        return {
            "id": self.message_id,
            "at": self.at,
            "from": [told.start.version, told.start.chain12],
            "to": told.to,
            "chain": told.chain,
            "kinds": told.kinds,
            "kind": told.kind,
            "reset": told.reset,
            "recorded": told.recorded,
        }


@dataclass(frozen=True, slots=True)
class Job:
    """An article that was taken. *told* and *news* are as they are kept; *failed* counts.

    *failing*: so does whatever else is sent to the subscription. *overdue* is since when the
    article is, in the engine's milliseconds, if that is to be told.
    """

    article: str
    token: str
    told: str
    news: str
    sent: Sent | None
    failed: int
    replays: int
    failing: bool
    overdue: str = ""


def loaded(text: bytes) -> Sent:
    """Read what `Sent.dumps` wrote."""
    facts = orjson.loads(text)
    message = Message(
        Mark(*facts["from"]),
        facts["to"],
        facts["chain"],
        tuple(facts["kinds"]),
        facts["kind"],
        facts["reset"],
        facts["recorded"],
    )
    return Sent(facts["id"], facts["at"], message)


async def claim(
    redis: Redis, subscribed: Subscribed, wanted: int, lease_seconds: float
) -> Sequence[Job]:
    """Take up to *wanted* articles that are due."""
    token = new_name()
    words: list[Argument] = [token, int(lease_seconds * 1e3), wanted, AT_ONCE, AT_ONCE_FAILING]
    answer: Any = await _CLAIM.run(redis, subscribed.keys.working, words)
    if not answer:
        return []
    replays = int(answer[0])
    return [
        Job(
            article=slug.decode(),
            token=token,
            told=told.decode(),
            news=news.decode(),
            sent=loaded(sent) if sent else None,
            failed=int(failed),
            replays=replays,
            failing=bool(answer[1]),
            overdue=overdue.decode(),
        )
        for slug, told, news, sent, failed, overdue in answer[2:]
    ]


async def settle(redis: Redis, subscribed: Subscribed, job: Job, **plan: Any) -> str:
    """Write down what became of *job*; *plan* and what comes back are as in settle.lua."""
    facts = {"outcome": "none", "news": job.news, "rest": 0, **plan}
    words: list[Argument] = [job.article, job.token, orjson.dumps(facts).decode(), RECENT, DEAD]
    answer: bytes = await _SETTLE.run(redis, subscribed.keys.working, words)
    return answer.decode()
