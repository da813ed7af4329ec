"""`writethru subscriptions`: who is told of changes by webhook, and how that goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import orjson
from typer import Argument, Option

from services.cli.durations import duration
from services.cli.failure import Failure
from services.cli.saying import say
from services.cli.stored import DataDir, RedisUrl
from services.cli.subscribers import (
    Desk,
    about,
    attempts,
    check_address,
    confirmed,
    described,
    hand_over,
    letters,
    rows,
    wish_of,
    with_desk,
)
from services.cli.telling import counted
from services.cli.terminal import columns
from services.deliver.core.subscription import Subscription
from services.deliver.webhooks import records, shown
from services.deliver.webhooks.forms import MAX_GRACE
from services.deliver.webhooks.replaying import places_of
from shared.runtime.clock import monotonic, now

TEST_SECONDS = 15.0

_Payload = StrEnum("_Payload", ("thin", "full"))
_Dead = StrEnum("_Dead", ("list", "replay"))

TEST_SECONDS = 15.0
Id = Annotated[str, Argument(metavar="ID", help="As `subscriptions list` shows it.")]
Json = Annotated[bool, Option("--json", metavar="", help="As JSON, one object a line.")]
Many = list[str] | None


def overview() -> None:
    """Tell others of changes by webhook: subscribe them, see how it goes, and mend it.

    It may run while the stack does, and deliver sends. What a subscriber does is in
    docs/webhooks.md.
    """


def add(
    url: Annotated[str, Argument(metavar="URL", help="Where to send, as https://host/path.")],
    name: Annotated[str, Option(metavar="NAME", help="Whose it is, for people.")] = "",
    article: Annotated[
        Many, Option(metavar="PATTERN", help=r"Articles, as election-*. \[default: all]")
    ] = None,
    section: Annotated[Many, Option(metavar="SECTION", help="Of these sections only.")] = None,
    tag: Annotated[Many, Option(metavar="TAG", help="With one of these tags only.")] = None,
    kind: Annotated[
        Many,
        Option(metavar="TYPE", help="Only these kinds of change, as update.corrected; or overdue."),
    ] = None,
    payload: Annotated[
        _Payload, Option(metavar="thin|full", help="That it changed, or what changed too.")
    ] = _Payload["thin"],
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Subscribe a URL, and print the secret it is signed with, which is shown this once."""
    wish = wish_of(
        url=url,
        name=name or None,
        articles=article or None,
        sections=section or [],
        tags=tag or [],
        kinds=kind or [],
        payload=payload.value,
    )

    async def run(desk: Desk) -> tuple[Subscription, str]:
        await check_address(url)
        return await desk.subscribing.create(wish, None)

    record, secret = with_desk(redis_url, data_dir, run)
    say(f"subscription {record.subscription_id}: {about(record)} to {record.url}")
    hand_over(secret)


def list_(json: Json = False, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """List all subscriptions and how they do."""

    async def run(desk: Desk) -> list[dict[str, Any]]:
        return [await desk.facts(each) for each in await records.everyone(desk.redis)]

    found = with_desk(redis_url, data_dir, run)
    if json:
        for each in found:
            print(orjson.dumps(each).decode())
        return
    if not found:
        say("nobody has subscribed; somebody does with: writethru subscriptions add URL")
    for line in columns(list(rows(found))) if found else ():
        print(line)


def show(
    subscription_id: Id, json: Json = False, redis_url: RedisUrl = None, data_dir: DataDir = None
) -> None:
    """Show one subscription, with the last attempts to tell it something."""

    async def run(desk: Desk) -> dict[str, Any]:
        record = await records.find(desk.redis, subscription_id)
        (state,) = await records.states(desk.redis, [subscription_id])
        sent = await records.deliveries(desk.redis, subscription_id)
        return shown.whole(record, state, sent, now())

    found = with_desk(redis_url, data_dir, run)
    if json:
        print(orjson.dumps(found).decode())
        return
    for line in described(found):
        print(line)
    if found["recent"]:
        print()
        for line in columns(list(attempts(found["recent"]))):
            print(line)


def pause(subscription_id: Id, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Send it nothing until it is resumed; what changes meanwhile is told then."""
    with_desk(redis_url, data_dir, lambda desk: desk.subscribing.turn(subscription_id, "paused"))
    say(f"subscription {subscription_id} is paused")


def resume(subscription_id: Id, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Go on with one that was paused or disabled: all it lacks, at once and with all attempts."""
    with_desk(redis_url, data_dir, lambda desk: desk.subscribing.turn(subscription_id, "active"))
    say(f"subscription {subscription_id} goes on")


def replay(
    subscription_id: Id,
    article: Annotated[
        str | None, Argument(metavar="SLUG", help="Of this article; else of all.")
    ] = None,
    start: Annotated[
        int, Option("--since", metavar="VERSION", min=0, help="The version that it has.")
    ] = 0,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Tell it again what changed since a version, in messages that have new ids."""

    async def run(desk: Desk) -> int:
        record = await records.find(desk.redis, subscription_id)
        places = await places_of(desk.redis, desk.reading, record, article, start)
        return await desk.subscribing.replay(subscription_id, places)

    many = with_desk(redis_url, data_dir, run)
    say(f"subscription {subscription_id} is told again of {counted(many, 'article')}")


def try_(subscription_id: Id, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Have deliver send a test message, also to one that is paused, and say what came of it."""

    async def run(desk: Desk) -> dict[str, Any] | None:
        message_id = await desk.subscribing.test(subscription_id)
        limit = monotonic() + TEST_SECONDS
        while monotonic() < limit:
            for attempt in (await records.deliveries(desk.redis, subscription_id)).recent:
                if attempt["webhook_id"] == message_id:
                    return attempt
            await asyncio.sleep(0.1)
        return None

    found = with_desk(redis_url, data_dir, run)
    if found is None:
        raise Failure("nobody has sent it yet; see that deliver runs, with writethru status")
    if found["outcome"] != "delivered":
        raise Failure(f"it did not take the test: {found['error']}")
    say(f"it took the test, with {found['status']} after {found['milliseconds']} ms")


def rotate(
    subscription_id: Id,
    grace: Annotated[
        str,
        Option(metavar="TIME", help="How long the secret before goes on: 30m, 24h, 7d or 0."),
    ] = "24h",
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Give it another secret, and print that; messages are signed with both for a while."""
    wait = duration("grace", grace, most=MAX_GRACE)
    record, secret = with_desk(
        redis_url, data_dir, lambda desk: desk.subscribing.rotate(subscription_id, wait)
    )
    until = f"; the one before goes on for {grace}" if len(record.secrets) > 1 else ""
    say(f"subscription {subscription_id} has another secret{until}")
    hand_over(secret)


def remove(
    subscription_id: Id,
    yes: Annotated[bool, Option("--yes", metavar="", help="Don't ask.")] = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Take a subscription away, with all that it is still to be told."""

    async def run(desk: Desk) -> None:
        record = await records.find(desk.redis, subscription_id)
        if not (yes or confirmed(record)):
            raise Failure("nothing was removed")
        await records.remove(desk.redis, subscription_id)

    with_desk(redis_url, data_dir, run)
    say(f"subscription {subscription_id} is gone")


def dead(
    action: Annotated[_Dead, Argument(metavar="list|replay", help="See them, or send them again.")],
    subscription_id: Id,
    ids: Annotated[
        Many, Argument(metavar="WEBHOOK-ID", help="Only these.", show_default=False)
    ] = None,
    json: Json = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """List the messages that were given up after ten attempts, or send them again."""

    async def run(desk: Desk) -> Sequence[dict[str, Any]]:
        await records.find(desk.redis, subscription_id)
        found = (await records.deliveries(desk.redis, subscription_id)).dead
        chosen = [each for each in found if not ids or each["webhook_id"] in ids]
        if ids and len(chosen) < len(set(ids)):
            raise Failure("no such message was given up; see writethru subscriptions dead list ID")
        if action == "replay":
            await desk.subscribing.send_dead(subscription_id, chosen)
        return shown.letters(chosen)

    found = with_desk(redis_url, data_dir, run)
    if json:
        for each in found:
            print(orjson.dumps(each).decode())
    elif action == "replay" and found:
        say(f"{counted(len(found), 'message')} to be sent again")
    elif not found:
        say("no message was given up")
    else:
        for line in columns(list(letters(found))):
            print(line)


#: The subcommands, by their names.
ACTIONS: dict[str, Callable[..., None]] = {
    "add": add,
    "list": list_,
    "show": show,
    "pause": pause,
    "resume": resume,
    "replay": replay,
    "test": try_,
    "rotate": rotate,
    "remove": remove,
    "dead": dead,
}
