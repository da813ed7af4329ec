"""The lanes' streams, read by FastStream, behind a guard.

FastStream runs the read loops; nothing else is left to it. Groups are made here and at the
beginning, acks ride in the commit script, bodies are not decoded, and what it does not read again
(its own pending entries after a restart, a batch that failed) is the sweeper's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.redis import StreamSub
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from services.render.broker import make_broker
from services.render.rendering import Rendering
from shared.runtime.keys import RENDER_GROUP, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.redis import BLOCK_MILLISECONDS, LOST

#: Unset, it would be the whole backlog in one reply.
ENTRIES_A_BATCH = 100
#: How long a stop waits for batches under way; what is left is rendered by others.
GRACE_SECONDS = 5.0
#: Read loops that a subscriber may have begun anew; more, and it spins on an error that stays.
RESTARTS = 3

log = structlog.get_logger()


async def make_groups(redis: Redis, lanes: Lanes) -> None:
    """Make the group on every lane, from the stream's beginning; wait until the engine answers."""
    for lane in lanes:
        while True:
            try:
                await make_group(redis, lane)
                break
            except LOST as error:
                log.warning("engine.awaited", reason=str(error))
                await asyncio.sleep(0.5)


async def make_group(redis: Redis, lane: Lane) -> bool:
    """Make the group on *lane* if it is missing; return whether it was.

    FastStream would make it at the stream's end, and skip what was filed before.
    """
    try:
        await redis.xgroup_create(lane.events, RENDER_GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
        return False
    return True


class Consumer:
    """One batch subscriber a lane. Its groups must be there before `start`."""

    def __init__(self, url: str, lanes: Lanes, name: str, rendering: Rendering) -> None:
        self._rendering = rendering
        self._ending = asyncio.Event()
        self._broker = make_broker(
            url,
            max_connections=len(lanes) + 8,
            parser=_leave_undecoded,
            apply_types=False,
            graceful_timeout=GRACE_SECONDS,
            logger=_Quiet(),
        )
        self._subscribers = [self._subscribe(lane, name) for lane in lanes]

    async def start(self) -> None:
        await self._broker.start()

    async def stop(self) -> None:
        """Stop reading, and wait for what is under way, but not for long."""
        self._ending.set()
        try:
            async with asyncio.timeout(GRACE_SECONDS + 1):
                await self._broker.stop()
                await self._rendering.settle()
        except (TimeoutError, RedisError, ExceptionGroup) as error:
            log.warning("consumer.abandoned", reason=str(error))

    def fault(self) -> str | None:
        """Say what is wrong with a subscriber; None while all of them read.

        Only the subscriber knows: a `ping` stays true while nothing is read.
        """
        faults = (_fault(subscriber) for subscriber in self._subscribers)
        return next((fault for fault in faults if fault), None)

    def _subscribe(self, lane: Lane, name: str) -> Any:
        stream = StreamSub(
            lane.events,
            group=RENDER_GROUP,
            consumer=name,
            batch=True,
            max_records=ENTRIES_A_BATCH,
            polling_interval=BLOCK_MILLISECONDS,
            declare=False,
        )
        subscriber = self._broker.subscriber(
            stream=stream, ack_policy=AckPolicy.MANUAL, no_reply=True, title=lane.events
        )
        # If the group goes just before it starts, it makes one: not at the end, as it would, so
        # that what nobody has read would count as acked. Afterwards it reads on from `read_id`.
        subscriber.last_id = "0"
        subscriber(self._handler(lane))
        return subscriber

    def _handler(self, lane: Lane) -> Callable[[Any], Any]:
        async def on_events(_body: Any) -> None:
            raw = self._broker.context.get_local("message").raw_message
            ids = [entry_id.decode() for entry_id in raw["message_ids"]]
            await self._rendering.take(lane, list(zip(ids, raw["data"], strict=True)))
            if self._rendering.trust(lane).stopped:
                # What is not read here is there for other renderers, or for the next start.
                await self._ending.wait()

        return on_events


class _Quiet:
    """FastStream's logger: what it says of every message is for debugging."""

    def log(self, level: int, event: str, /, **facts: Any) -> None:
        facts |= facts.pop("extra", None) or {}
        log.log(level if level > logging.INFO else logging.DEBUG, event, **facts)


async def _leave_undecoded(message: dict[str, Any], parse: Callable[[Any], Any]) -> Any:
    """Spare FastStream the bodies: one entry that is no text would fail its whole batch."""
    parsed = await parse({**message, "data": []})
    parsed.raw_message = message
    return parsed


def _fault(subscriber: Any) -> str | None:
    tasks: Sequence[asyncio.Task[Any]] = subscriber.tasks
    if not subscriber.running:
        return "a subscriber has stopped; its group or stream is gone"
    if len(tasks) > RESTARTS:
        return "a subscriber fails again and again"
    if all(task.done() for task in tasks):
        return "a subscriber's task has ended"
    return None
