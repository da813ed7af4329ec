"""What `writethru sources` works with, and how it shows what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from redis.asyncio import Redis

from services.cli.failure import Failure, misused
from services.cli.options import settings
from services.cli.stored import articles, installation
from services.cli.terminal import columns
from services.ingest.append import Appender
from services.ingest.checking import Checker
from services.ingest.core.sources.documents import Unreadable
from services.ingest.core.sources.entries import Envelope
from services.ingest.sources import shown
from services.ingest.sources.fetching import Failed
from services.ingest.sources.outside import Outside
from services.ingest.sources.records import NoSuchArticle, NoSuchSource, Records, SourceExists
from services.ingest.sources.running import Outcome, Sources
from services.ingest.sources.updaters import Updaters, updaters
from shared.article.dates import parse_rfc3339
from shared.contract.errors import WritethruError
from shared.contract.sources import Source
from shared.runtime import log
from shared.runtime.durability import levels_of
from shared.runtime.lanes import Lanes

_T = TypeVar("_T")
_HEADINGS = ("SOURCE", "KIND", "STATE", "PULLED", "NEXT", "FILED", "FROM")
_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Desk:
    """What the actions work with."""

    redis: Redis
    lanes: Lanes
    sources: Sources

    @property
    def records(self) -> Records:
        """What is kept of sources."""
        return self.sources.records

    @property
    def updaters(self) -> Updaters:
        """Who asks updaters."""
        return self.sources.updaters

    def check_address(self, url: str) -> None:
        """See that *url* is of a form that may be called. Raises Failure."""
        try:
            settings().outbound.check(url, "URL")
        except ValueError as error:
            remedy = "; for a host of your own set WRITETHRU_OUTBOUND_ALLOW"
            raise Failure(f"{error}{remedy}") from None

    async def articles(self, slug: str | None) -> list[str]:
        """Return the articles to look at. Raises Failure."""
        return await articles(self.redis, self.lanes, [slug] if slug else [])

    async def facts(self, slug: str) -> list[dict[str, Any]]:
        """Return what is shown of each source of an article."""
        listed, stands = await self.records.everyone(slug), await self.records.stands(slug)
        names = [each.source.name for each in listed]
        due = await self.records.due(slug, names)
        return [
            shown.facts(each, stands[name], due.get(name))
            for name, each in zip(names, listed, strict=True)
        ]

    async def tried(self, slug: str, name: str) -> list[Envelope]:
        """Return what a run would file. Raises Failure."""
        source = (await self.records.find(slug, name)).source
        stand, seen = await self.records.stand(slug, source)
        try:
            draft = await self.sources.draft(slug, source, stand, seen, "test")
        except Failed as error:
            raise Failure(f"{name}: {error.reason}") from None
        except Unreadable as error:
            raise Failure(f"{name}: {error}") from None
        return [*draft.events, *(event for step in draft.steps for event in step.events)]

    async def run(self, slug: str, name: str | None, tick: str) -> list[tuple[str, Outcome]]:
        """Pull one source of an article, or all of them, one after another."""
        listed = [await self.records.find(slug, name)] if name else await self.all_of(slug)
        found = [each.source for each in listed]
        done = [(each.name, await self.sources.run(slug, each, tick=tick)) for each in found]
        await self.records.look_again(slug)  # one that was gone may be back
        return done

    async def all_of(self, slug: str) -> list[Any]:
        """Return all sources of an article that there is. Raises Failure."""
        await self.articles(slug)
        return list(await self.records.everyone(slug))


def with_desk(
    redis_url: str | None, data_dir: Path | None, work: Callable[[Desk], Awaitable[_T]]
) -> _T:
    """Do *work* on the installation.

    Raises:
        Failure: there is no such article or source, or it can't be.
    """
    log.configure("sources", "error")

    async def run() -> _T:
        known = settings()
        async with (
            installation(redis_url, data_dir) as (redis, here),
            Outside(known) as outside,
        ):
            levels = await levels_of(redis, known.durability)
            appender = Appender(redis, here, levels.kept, known.archive)
            checker = Checker(redis, here.lanes, appender, known.checks)
            asking = updaters(redis, here, known, outside)
            return await work(Desk(redis, here.lanes, Sources(asking, checker, levels.wait())))

    try:
        return asyncio.run(run())
    except NoSuchSource as error:
        raise Failure(f"there is no source {error}; see writethru sources list") from None
    except NoSuchArticle as error:
        raise Failure(f"there is no article {error}, or it was killed; publish it first") from None
    except SourceExists as error:
        raise Failure(str(error)) from None
    except Failed as error:
        raise Failure(error.reason) from None
    except WritethruError as error:
        raise Failure(error.detail) from None


def named(name: str, kind: str, url: str, provenance: str | None) -> Source:
    """Return a source of these, checked as an event's would be. Raises Failure."""
    given = {"name": name, "kind": kind, "url": url, "provenance": provenance}
    try:
        return Source.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "url"
        if field == "name":
            remedy = "must be up to 32 lower-case letters and digits, with single hyphens"
            raise misused(f"--name {remedy}") from None
        said = first["msg"].removeprefix("Value error, ")
        raise misused(f"{'URL' if field == 'url' else '--' + field} {said}") from None


def lines_of(found: Sequence[dict[str, Any]], now: datetime) -> Iterator[str]:
    """Yield a table of sources, for a terminal of 80: where each is, and what is wrong with it."""
    rows = [_HEADINGS, *(_row(each, now) for each in found)]
    lines = iter(columns(rows) if found else ())
    if found:
        yield next(lines)
    slug = ""
    for each, line in zip(found, lines, strict=True):
        if each["article"] != slug:
            slug = each["article"]
            yield f"{slug}:"
        yield line
        yield f"  {_cut(each['url'])}"
        if each["reason"]:
            yield from _wrapped(f"{each['failures']} failed in a row: {each['reason']}")
        if each["refused"]:
            yield from _wrapped(f"refused last: {each['refused']}")


def _row(each: dict[str, Any], now: datetime) -> tuple[str, ...]:
    ran = ago(each["ran_at"], now)
    due = ahead(each["next_at"], now)
    return each["name"], each["kind"], each["state"], ran, due, str(each["filed"]), each["from"]


def ago(time: str | None, now: datetime) -> str:
    """Say how long ago *time* is, in its largest unit."""
    if time is None:
        return "never"
    return f"{_span((now - parse_rfc3339(time)).total_seconds())} ago"


def ahead(time: str | None, now: datetime) -> str:
    """Say in how long *time* is; a dash where nothing is planned."""
    if time is None:
        return "–"
    return f"in {_span((parse_rfc3339(time) - now).total_seconds())}"


def _span(length: float) -> str:
    seconds = max(0, int(length))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH - 2 else f"{text[: _WIDTH - 3]}…"


def _wrapped(text: str) -> Iterator[str]:
    words, line = text.split(), " "
    for word in words:
        if len(line) + len(word) + 1 > _WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {word}"
    yield line


def results(events: Sequence[Envelope]) -> Iterator[str]:
    """Yield a line for each event that would be filed."""
    for event in events:
        data = event["data"]
        kind = event["type"].removeprefix("writethru.")
        said = data.get("headline") or data.get("text") or data.get("note") or ""
        yield _cut(f"{kind}  {' '.join(said.split())}")
