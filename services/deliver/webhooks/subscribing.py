"""What is done to subscriptions, by whom ever: made, paused, resumed, rotated, told again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import orjson
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.deliver.core.cursors import START, Place, cursor, entry_id, parse_place
from services.deliver.core.subscription import SigningSecret, Status, Subscription
from services.deliver.webhooks import records
from services.deliver.webhooks.records import NoSuchSubscription
from shared.contract.signing import secret_text
from shared.runtime.clock import new_key, new_name, now
from shared.runtime.keys import SUBSCRIPTIONS_TESTS, WEBHOOKS_GROUP
from shared.runtime.lanes import Lanes
from shared.runtime.outlet_keys import SubscriptionKeys
from shared.runtime.scripts import Script
from shared.runtime.sealing import Seal

#: How many secrets of one subscription may be valid at once.
SECRETS = 2
GRACE = timedelta(hours=24)
#: So many articles are told again by one script at most; the engine does nothing else meanwhile.
ARTICLES_A_SCRIPT = 250

_PACKAGE = "services.deliver.webhooks"
_REWIND = Script(_PACKAGE, "rewind.lua")
_TURN = Script(_PACKAGE, "turn.lua")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody would subscribe to; the fields are those of `Subscription`."""

    url: str
    name: str = ""
    articles: tuple[str, ...] = ("*",)
    sections: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    payload: Literal["thin", "full"] = "thin"
    secret: bytes | None = None


@dataclass(frozen=True, slots=True)
class Subscribing:
    """The acts. Each raises NoSuchSubscription for an id that nobody has."""

    redis: Redis
    lanes: Lanes
    seal: Seal

    async def create(self, wish: Wish, created_by: str | None) -> tuple[Subscription, str]:
        """Make a subscription; return it with its secret, which can't be had again."""
        subscription_id, secret = new_name(), wish.secret or new_key()
        record = Subscription(
            subscription_id=subscription_id,
            url=wish.url,
            created=now(),
            secrets=(self._sealed(secret, subscription_id),),
            since=cursor(self.lanes.tags, await follow(self.redis, self.lanes)),
            created_by=created_by,
            name=wish.name,
            articles=wish.articles,
            sections=wish.sections,
            tags=wish.tags,
            kinds=wish.kinds,
            payload=wish.payload,
        )
        await records.keep(self.redis, record)
        return record, secret_text(secret)

    async def rotate(self, subscription_id: str, grace: timedelta) -> tuple[Subscription, str]:
        """Give a subscription another secret; the one before signs on until *grace* is over."""
        secret, at = new_key(), now()

        def rotated(record: Subscription) -> Subscription:
            older = [each for each in record.secrets if each.alive(at)][: SECRETS - 1]
            ending = [replace(each, expires=at + grace) for each in older] if grace else []
            newest = self._sealed(secret, subscription_id)
            return replace(record, secrets=(newest, *ending))

        record = await records.change(self.redis, subscription_id, rotated)
        return record, secret_text(secret)

    async def turn(self, subscription_id: str, status: Status, reason: str = "") -> str:
        """Pause a subscription, disable it or let it go on; return the status that it had."""
        keys = SubscriptionKeys(subscription_id)
        before: Any = await _TURN.run(self.redis, keys.working, [status, reason])
        if before is None:
            raise NoSuchSubscription(subscription_id)
        return str(before.decode())

    async def replay(self, subscription_id: str, places: Sequence[tuple[str, int]]) -> int:
        """Have it told again of articles, each from a version on; return how many."""
        await records.find(self.redis, subscription_id)
        many = 0
        for some in _chunks(places):
            rows = [part for slug, version in some for part in (slug, str(version), "", "")]
            many += await self._rewind(subscription_id, "replay", rows)
        return many

    async def send_dead(self, subscription_id: str, letters: Sequence[dict[str, Any]]) -> int:
        """Have messages that were given up sent again; of one article, all after the first too."""
        first: dict[str, dict[str, Any]] = {}
        for letter in letters:
            known = first.setdefault(letter["article"], letter)
            if letter["from"] < known["from"]:
                first[letter["article"]] = letter
        many = 0
        for some in _chunks(letters):
            rows: list[str] = []
            for letter in some:
                of_article = first[letter["article"]]
                message = orjson.dumps(of_article["message"]).decode()
                rows += [letter["article"], of_article["start"], message]
                rows.append(orjson.dumps(letter).decode())
            many += await self._rewind(subscription_id, "letters", rows)
        return many

    async def test(self, subscription_id: str) -> str:
        """Ask for a test message; return its `webhook-id`, under which it will be found."""
        await records.find(self.redis, subscription_id)
        message_id = f"msg_test_{new_name()}"
        await self.redis.rpush(SUBSCRIPTIONS_TESTS, f"{subscription_id} {message_id}")
        return message_id

    async def _rewind(self, subscription_id: str, how: str, rows: Sequence[str]) -> int:
        keys = SubscriptionKeys(subscription_id)
        done: Any = await _REWIND.run(self.redis, keys.working, [how, *rows])
        return int(done)

    def _sealed(self, secret: bytes, subscription_id: str) -> SigningSecret:
        return SigningSecret(self.seal.seal(secret, subscription_id), now())


async def follow(redis: Redis, lanes: Lanes) -> dict[str, Place]:
    """Have all outboxes kept for webhooks from now on; return where each of them ends.

    Where they are already, they are kept from the place that was reached.
    """
    places: dict[str, Place] = {}
    for lane in lanes:
        last = START
        try:
            info: Any = await redis.xinfo_stream(lane.changes)
            last = parse_place(info["last-generated-id"])
        except ResponseError as error:
            if "no such key" not in str(error):
                raise
        try:
            await redis.xgroup_create(lane.changes, WEBHOOKS_GROUP, entry_id(last), mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        places[lane.tag] = last
    return places


def _chunks(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[at : at + ARTICLES_A_SCRIPT] for at in range(0, len(rows), ARTICLES_A_SCRIPT))
