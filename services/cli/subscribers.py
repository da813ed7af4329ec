"""What `writethru subscriptions` works with, and how it shows what it finds."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from redis.asyncio import Redis

from services.cli.failure import Failure, misused
from services.cli.options import settings
from services.cli.saying import say
from services.cli.stored import installation
from services.cli.telling import counted
from services.deliver.core.subscription import Subscription
from services.deliver.reading import Reading
from services.deliver.webhooks import forms, records, shown
from services.deliver.webhooks.records import NoSuchSubscription
from services.deliver.webhooks.subscribing import Subscribing, Wish
from shared.contract.errors import InvalidEvent, WritethruError
from shared.runtime import log
from shared.runtime.clock import now
from shared.runtime.dialing import Unreachable
from shared.runtime.fetching import Outbound
from shared.runtime.sealing import Seal

_T = TypeVar("_T")

_HEADINGS = ("ID", "NAME", "STATUS", "WAITING", "DEAD", "ARTICLES", "URL")
_ATTEMPTS = ("TIME", "ARTICLE", "FROM", "TO", "TRY", "OUTCOME", "STATUS", "MS", "WEBHOOK-ID")
_LETTERS = ("GIVEN UP", "ARTICLE", "FROM", "TO", "TRIES", "STATUS", "WEBHOOK-ID")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the actions work with."""

    redis: Redis
    reading: Reading
    subscribing: Subscribing

    async def facts(self, record: Subscription) -> dict[str, Any]:
        """Return what is shown of *record*."""
        (state,) = await records.states(self.redis, [record.subscription_id])
        return shown.facts(record, state, now())


def with_desk(
    redis_url: str | None, data_dir: Path | None, work: Callable[[Desk], Awaitable[_T]]
) -> _T:
    """Do *work* on the installation.

    Raises:
        Failure: there is no such subscription, or it can't be.
    """
    log.configure("subscriptions", "error")

    async def run() -> _T:
        known = settings()
        async with installation(redis_url, data_dir) as (redis, here):
            seal = Seal(here.key, known.sealing_key)
            reading = Reading(redis, here.lanes, known.archive)
            return await work(Desk(redis, reading, Subscribing(redis, here.lanes, seal)))

    try:
        return asyncio.run(run())
    except NoSuchSubscription as error:
        raise Failure(
            f"there is no subscription {error}; see writethru subscriptions list"
        ) from None
    except WritethruError as error:
        raise Failure(error.detail) from None


def wish_of(**fields: Any) -> Wish:
    """Return what to subscribe to, checked as the API checks it; None is left out.

    Raises:
        Failure: a field is wrong.
    """
    try:
        given = {name: value for name, value in fields.items() if value is not None}
        return forms.checked(forms.NewSubscription, given).wish(("*",))
    except InvalidEvent as error:
        wrong = error.errors[0]
        option = wrong.pointer.split("/")[1].removesuffix("s")
        named = option.upper() if option == "url" else f"--{option}"
        raise misused(f"{named} {wrong.detail}") from None


async def check_address(url: str) -> None:
    """See that *url* may be called from here.

    Raises:
        Failure: it may not.
    """
    async with Outbound(settings().outbound) as outbound:
        try:
            await outbound.check(url, "URL")
        except ValueError as error:
            raise Failure(str(error)) from None
        except Unreachable:  # in a network of its own, this command may know no names
            say("its host has no address here; see with `subscriptions test` that deliver finds it")


def confirmed(record: Subscription) -> bool:
    """Ask whoever sits at a terminal; a program has said what it wants."""
    if not sys.stdin.isatty():
        return True
    print(f"Remove the subscription of {record.url}? [y/N] ", end="")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def about(record: Subscription) -> str:
    """Say what a subscription is about, in a few words."""
    kinds = [kind.removeprefix("writethru.") for kind in record.kinds]
    parts = [
        ", ".join(record.articles) if record.articles != ("*",) else "all articles",
        f"in {', '.join(record.sections)}" if record.sections else "",
        f"tagged {', '.join(record.tags)}" if record.tags else "",
        f"({', '.join(kinds)})" if kinds else "",
    ]
    return " ".join(filter(None, parts))


def rows(found: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a table of subscriptions."""
    yield _HEADINGS
    for each in found:
        status = f"{each['status']}, failing" if _fails(each) else each["status"]
        counts = (str(each["waiting"]), str(each["dead"]))
        articles = ", ".join(each["articles"])
        yield each["id"], each["name"] or "–", status, *counts, articles, each["url"]


def _fails(each: dict[str, Any]) -> bool:
    return each["status"] == "active" and bool(each["failing_since"])


def described(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that describe one subscription."""
    yield f"{found['id']}{' of ' + found['name'] if found['name'] else ''}: {found['url']}"
    reason = f": {found['reason']}" if found["reason"] else ""
    yield f"status: {found['status']}{reason}"
    if found["failing_since"]:
        yield f"failing since {found['failing_since']}"
    if found["rests_until"]:
        yield f"left alone until {found['rests_until']}, as it asked"
    for name in ("articles", "sections", "tags", "kinds"):
        if found[name]:
            yield f"{name}: {', '.join(found[name])}"
    yield f"payload: {found['payload']}"
    yield f"made {found['created_at']} by {found['created_by'] or 'the operator'}"
    secrets = [f"until {each['expires_at']}" for each in found["secrets"] if each["expires_at"]]
    if secrets:
        yield f"two secrets, the older one {secrets[0]}"
    waiting, dead = counted(found["waiting"], "article"), counted(found["dead"], "message")
    yield f"waiting: {waiting}; dead: {dead}"


def attempts(found: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a table of attempts."""
    yield _ATTEMPTS
    for each in found:
        places = (each["article"] or "(a test)", *_places(each))
        result = str(each["status"] or each["error"])
        took = str(each["milliseconds"])
        number = str(each["attempt"])
        yield each["time"], *places, number, each["outcome"], result, took, each["webhook_id"]


def letters(found: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Yield a table of messages that were given up."""
    yield _LETTERS
    for each in found:
        result = str(each["status"] or each["error"])
        tries = str(each["attempts"])
        yield each["time"], each["article"], *_places(each), tries, result, each["webhook_id"]


def _places(each: dict[str, Any]) -> tuple[str, str]:
    start, to = each["from"], each["to"]
    return ("–", "–") if to is None else (str(start), str(to))


def hand_over(secret: str) -> None:
    """Print a secret, alone on standard output."""
    print(secret, flush=True)
