"""`writethru sources`: what is pulled for an article, and how that goes."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import orjson
from typer import Argument, Option

from services.cli.failure import Failure, misused
from services.cli.pulled import Desk, lines_of, named, results, with_desk
from services.cli.remote import check_slug
from services.cli.saying import say
from services.cli.stored import DataDir, RedisUrl
from services.cli.telling import counted
from services.ingest.sources import shown
from services.ingest.sources.running import Outcome
from shared.contract.signing import secret_text
from shared.contract.sources import KINDS, PROVENANCES
from shared.contract.sources import named as made_name
from shared.runtime.clock import now

# The command line takes no Literal.
_Kind = StrEnum("_Kind", KINDS)  # type: ignore[misc]
_Who = StrEnum("_Who", PROVENANCES)  # type: ignore[misc]

Slug = Annotated[str, Argument(metavar="SLUG", help="The article.")]
Name = Annotated[str, Argument(metavar="NAME", help="As `sources list` shows it.")]
Json = Annotated[bool, Option("--json", metavar="", help="As JSON, one object a line.")]


def overview() -> None:
    """Have ingest pull updates for an article: from feeds, other documents, programs.

    It may run while the stack does, and ingest pulls at the article's cadence. docs/sources.md
    has each kind, with an example.
    """


def add(
    slug: Slug,
    url: Annotated[str, Argument(metavar="URL", help="Where, as https://host/path.")],
    name: Annotated[
        str | None, Option(metavar="NAME", help=r"What to call it. \[default: made of both]")
    ] = None,
    kind: Annotated[_Kind, Option(metavar="|".join(KINDS), help="What is there.")] = _Kind["feed"],
    provenance: Annotated[
        _Who | None,
        Option(metavar="|".join(PROVENANCES), help="Who wrote what it brings."),
    ] = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Add a source; of an updater (http), print the secret that it is asked with."""
    called = name or made_name(kind.value, url)
    source = named(called, kind.value, url, provenance and provenance.value)

    async def run(desk: Desk) -> bytes | None:
        desk.check_address(url)
        await desk.records.add(check_slug(slug), source, now(), None)
        if source.kind == "http":
            return await desk.updaters.secret(slug, source.name)
        return None

    secret = with_desk(redis_url, data_dir, run)
    say(f"source {source.name} of {slug}: {source.kind} at {source.url}")
    say(f"see what it would file with: writethru sources test {slug} {source.name}")
    if secret:
        print(secret_text(secret), flush=True)


def list_(
    slug: Annotated[str | None, Argument(metavar="SLUG", help="Of this article; else all.")] = None,
    json: Json = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """List an article's sources and how they do, or those of all articles."""

    async def run(desk: Desk) -> list[dict[str, Any]]:
        return [
            {"article": each, **facts}
            for each in await desk.articles(slug)
            for facts in await desk.facts(each)
        ]

    found = with_desk(redis_url, data_dir, run)
    if json:
        for each in found:
            print(orjson.dumps(each).decode())
        return
    if not found:
        where = slug or "no article"
        say(f"{where} has {'no ' if slug else 'any '}sources; add one: writethru sources add")
    for line in lines_of(found, now()):
        print(line)


def pause(slug: Slug, name: Name, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Leave it alone until it is resumed."""
    with_desk(redis_url, data_dir, lambda desk: desk.records.pause(slug, name, paused=True))
    say(f"source {name} of {slug} is paused")


def resume(slug: Slug, name: Name, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Go on with one that was paused."""
    with_desk(redis_url, data_dir, lambda desk: desk.records.pause(slug, name, paused=False))
    say(f"source {name} of {slug} goes on")


def remove(slug: Slug, name: Name, redis_url: RedisUrl = None, data_dir: DataDir = None) -> None:
    """Take away one that an operator added; what it has brought stays."""
    with_desk(redis_url, data_dir, lambda desk: desk.records.remove(slug, name))
    say(f"source {name} of {slug} is gone; its updates stay")


def try_(
    slug: Slug,
    name: Name,
    json: Json = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Pull it and show what would be filed; nothing is, and nothing is remembered."""
    events = with_desk(redis_url, data_dir, lambda desk: desk.tried(slug, name))
    if json:
        for event in events:
            print(orjson.dumps(event).decode())
        return
    say(f"{counted(len(events), 'event')} would be filed" if events else "nothing new")
    for line in results(events):
        print(line)


def run_now(
    slug: Slug,
    name: Annotated[str | None, Argument(metavar="NAME", help="Only this one.")] = None,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Pull at once, also what is paused, and file what is new."""

    async def run(desk: Desk) -> list[tuple[str, Outcome]]:
        return await desk.run(slug, name, f"run-now {now().isoformat()}")

    done = with_desk(redis_url, data_dir, run)
    if not done:
        raise Failure(f"{slug} has no sources; add one with writethru sources add {slug} URL")
    failed = [(each, outcome.failure) for each, outcome in done if outcome.failure]
    for each, outcome in done:
        if not outcome.failure:
            print(orjson.dumps({"source": each, **shown.outcome(outcome)}).decode())
    if failed:
        raise Failure("; ".join(f"{each}: {reason}" for each, reason in failed))


def secret(
    slug: Slug,
    name: Name,
    renew: Annotated[bool, Option("--renew", metavar="", help="Another one, at once.")] = False,
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Print the secret that an updater is asked with."""

    async def run(desk: Desk) -> bytes:
        if (await desk.records.find(slug, name)).source.kind != "http":
            raise misused(f"{name} is no updater (http), so nothing is signed for it")
        return await desk.updaters.secret(slug, name, renew=renew)

    print(secret_text(with_desk(redis_url, data_dir, run)), flush=True)


#: The subcommands, by their names.
ACTIONS: dict[str, Callable[..., None]] = {
    "add": add,
    "list": list_,
    "pause": pause,
    "resume": resume,
    "remove": remove,
    "test": try_,
    "run-now": run_now,
    "secret": secret,
}
