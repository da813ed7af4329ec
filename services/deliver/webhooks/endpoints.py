"""`/v1/subscriptions`: who has the scope `read` subscribes to changes by webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from redis.asyncio import Redis
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.deliver.core.caching import UNKEPT, headers_of
from services.deliver.core.negotiation import JSON
from services.deliver.core.subscription import Subscription
from services.deliver.reading import Reading
from services.deliver.webhooks import records, shown
from services.deliver.webhooks.access import Caller, admitted
from services.deliver.webhooks.forms import (
    MAX_BYTES,
    DeadReplay,
    FormT,
    NewSubscription,
    Replay,
    Rotation,
    read,
    wrong,
)
from services.deliver.webhooks.records import NoSuchSubscription
from services.deliver.webhooks.replaying import places_of
from services.deliver.webhooks.subscribing import Subscribing
from shared.contract.errors import FieldError
from shared.runtime.clock import monotonic, now
from shared.runtime.dialing import Unreachable
from shared.runtime.door import Door
from shared.runtime.fetching import Outbound

MOST_OF_A_KEY, MOST = 50, 1_000
TEST_SECONDS = 15.0
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The endpoints. Each raises as `admitted`, and HTTPException 404 for what is not theirs."""

    redis: Redis
    reading: Reading
    door: Door | None
    outbound: Outbound
    subscribing: Subscribing

    def listed(self) -> Sequence[Route]:
        """Return path and endpoint of each."""
        one = "/v1/subscriptions/{subscription_id}"
        return [
            Route("/v1/subscriptions", self.list, methods=["GET"]),
            Route("/v1/subscriptions", self.create, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.remove, methods=["DELETE"]),
            Route(f"{one}/pause", self.pause, methods=["POST"]),
            Route(f"{one}/resume", self.resume, methods=["POST"]),
            Route(f"{one}/replay", self.replay, methods=["POST"]),
            Route(f"{one}/test", self.test, methods=["POST"]),
            Route(f"{one}/rotate", self.rotate, methods=["POST"]),
            Route(f"{one}/dead", self.dead, methods=["GET"]),
            Route(f"{one}/dead/replay", self.replay_dead, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        """All that the key has made; with `admin`, everybody's."""
        caller = await admitted(self.door, request)
        async with self.reading.patience():
            found = [each for each in await records.everyone(self.redis) if caller.may_see(each)]
            states = await records.states(self.redis, [each.subscription_id for each in found])
        at = now()
        rows = [shown.facts(each, state, at) for each, state in zip(found, states, strict=True)]
        return _answer({"subscriptions": rows})

    async def create(self, request: Request) -> Response:
        """Make one. Its secret is in this answer, and in no other."""
        caller = await admitted(self.door, request)
        form = await _read(request, NewSubscription)
        articles = caller.bounded(tuple(form.articles) if form.articles is not None else None)
        await self._check_address(form.url)
        await self._check_room(caller)
        async with self.reading.patience():
            record, secret = await self.subscribing.create(form.wish(articles), caller.key_id)
            document = await self._facts(record)
        place = f"/v1/subscriptions/{record.subscription_id}"
        return _answer({**document, "secret": secret}, 201, location=place)

    async def show(self, request: Request) -> Response:
        """One, with the last attempts."""
        record = await self._named(request)
        async with self.reading.patience():
            (state,) = await records.states(self.redis, [record.subscription_id])
            sent = await records.deliveries(self.redis, record.subscription_id)
        return _answer(shown.whole(record, state, sent, now()))

    async def remove(self, request: Request) -> Response:
        """Take one away, with all that waits for it."""
        record = await self._named(request)
        async with self.reading.patience():
            await records.remove(self.redis, record.subscription_id)
        return Response(status_code=204, headers=headers_of(UNKEPT, ()))

    async def pause(self, request: Request) -> Response:
        """Send nothing until it is resumed; what changes meanwhile is told then."""
        record = await self._named(request)
        async with self.reading.patience():
            await self.subscribing.turn(record.subscription_id, "paused")
            return _answer(await self._facts(record))

    async def resume(self, request: Request) -> Response:
        """Go on, at once and with all attempts; also after it was disabled."""
        record = await self._named(request)
        async with self.reading.patience():
            await self.subscribing.turn(record.subscription_id, "active")
            return _answer(await self._facts(record))

    async def replay(self, request: Request) -> Response:
        """Tell again, from a version on: of one article, or of all."""
        record = await self._named(request)
        form = await _read(request, Replay)
        places = await places_of(self.redis, self.reading, record, form.article, form.start)
        async with self.reading.patience():
            many = await self.subscribing.replay(record.subscription_id, places)
        return _answer({"articles": many}, 202)

    async def test(self, request: Request) -> Response:
        """Send a message that says nothing, and answer what became of it."""
        record = await self._named(request)
        message_id = await self.subscribing.test(record.subscription_id)
        limit = monotonic() + TEST_SECONDS
        while monotonic() < limit:
            sent = await records.deliveries(self.redis, record.subscription_id)
            for attempt in sent.recent:
                if attempt["webhook_id"] == message_id:
                    return _answer(attempt)
            await asyncio.sleep(_PAUSE_SECONDS)
        return _answer({"webhook_id": message_id, "outcome": "waiting"}, 202)

    async def rotate(self, request: Request) -> Response:
        """Give it another secret, which is in this answer and in no other."""
        record = await self._named(request)
        form = await _read(request, Rotation)
        grace = timedelta(seconds=form.grace_seconds)
        async with self.reading.patience():
            record, secret = await self.subscribing.rotate(record.subscription_id, grace)
            return _answer({**await self._facts(record), "secret": secret})

    async def dead(self, request: Request) -> Response:
        """Messages that were given up, the last first."""
        record = await self._named(request)
        async with self.reading.patience():
            sent = await records.deliveries(self.redis, record.subscription_id)
        return _answer({"dead": shown.letters(sent.dead)})

    async def replay_dead(self, request: Request) -> Response:
        """Send messages that were given up again, under their ids."""
        record = await self._named(request)
        form = await _read(request, DeadReplay)
        async with self.reading.patience():
            dead = (await records.deliveries(self.redis, record.subscription_id)).dead
            if form.ids is not None:
                known = {each["webhook_id"] for each in dead}
                for place, each in enumerate(form.ids):
                    if each not in known:
                        said = "is no message that was given up; see the list of them"
                        raise wrong(FieldError(f"/ids/{place}", said))
                dead = [each for each in dead if each["webhook_id"] in form.ids]
            await self.subscribing.send_dead(record.subscription_id, dead)
        return _answer({"messages": len(dead)}, 202)

    async def _named(self, request: Request) -> Subscription:
        caller = await admitted(self.door, request)
        subscription_id = request.path_params["subscription_id"]
        try:
            async with self.reading.patience():
                record = await records.find(self.redis, subscription_id)
        except NoSuchSubscription:
            record = None
        if record is None or not caller.may_see(record):
            raise HTTPException(404, f"There is no subscription {subscription_id[:64]} of yours.")
        return record

    async def _facts(self, record: Subscription) -> dict[str, Any]:
        (state,) = await records.states(self.redis, [record.subscription_id])
        return shown.facts(record, state, now())

    async def _check_address(self, url: str) -> None:
        try:
            await self.outbound.check(url)
        except ValueError as error:
            raise wrong(FieldError("/url", str(error).removeprefix("url").lstrip(": "))) from None
        except Unreachable as error:
            raise wrong(FieldError("/url", error.reason)) from None

    async def _check_room(self, caller: Caller) -> None:
        async with self.reading.patience():
            found = await records.everyone(self.redis)
        own = sum(each.created_by == caller.key_id for each in found)
        if own >= MOST_OF_A_KEY or len(found) >= MOST:
            most = MOST_OF_A_KEY if own >= MOST_OF_A_KEY else MOST
            raise HTTPException(
                409, f"There are {most} subscriptions; delete one that is not used."
            )


async def _read(request: Request, form: type[FormT]) -> FormT:
    """Return what the request's body asks for. Raises as `read`, and HTTPException 413."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"This takes {MAX_BYTES} bytes at most.")
    return read(form, body)


def _answer(document: dict[str, Any], status: int = 200, **headers: str) -> Response:
    named = {**headers_of(UNKEPT, ()), **headers}
    return Response(orjson.dumps(document), status, named, JSON.media_type)
