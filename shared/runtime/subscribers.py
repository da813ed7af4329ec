"""How many subscribe to webhooks, how they do, and how much they are still to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from shared.runtime.keys import SUBSCRIPTIONS
from shared.runtime.outlet_keys import SubscriptionKeys


@dataclass(frozen=True, slots=True)
class Subscribers:
    """All subscriptions together; *failing* ones are active, and the last attempt failed.

    *waiting* counts the articles that active ones are to be told of, *dead* what was given up.
    """

    active: int = 0
    paused: int = 0
    disabled: int = 0
    failing: int = 0
    waiting: int = 0
    dead: int = 0

    @property
    def many(self) -> int:
        """How many there are."""
        return self.active + self.paused + self.disabled


async def read_subscribers(redis: Redis) -> Subscribers:
    """Look at every subscription. Raises RedisError."""
    names: Any = await redis.hkeys(SUBSCRIPTIONS)
    async with redis.pipeline(transaction=False) as asked:
        for each in (SubscriptionKeys(name.decode()) for name in names):
            asked.hmget(each.state, "status", "failing_since")
            asked.zcard(each.due)
            asked.llen(each.dead)
        answers: list[Any] = await asked.execute()
    rows = list(zip(answers[0::3], answers[1::3], answers[2::3], strict=True))
    by_status = [(facts[0] or b"active").decode() for facts, _, _ in rows]
    active = [row for row, status in zip(rows, by_status, strict=True) if status == "active"]
    return Subscribers(
        active=len(active),
        paused=by_status.count("paused"),
        disabled=by_status.count("disabled"),
        failing=sum(facts[1] is not None for facts, _, _ in active),
        waiting=sum(waiting for _, waiting, _ in active),
        dead=sum(dead for _, _, dead in rows),
    )
