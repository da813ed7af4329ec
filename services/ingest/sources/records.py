"""What the engine holds of an article's sources: those that events name, and operators' words.

An article's `pull` is in its facts, written in the step that filed the event. What an operator says
of a source, whoever named it, is a record of its own: that it exists, is paused, has a secret.
How far it was pulled is apart: losing that costs work, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from services.ingest.core.sources.entries import Seen
from shared.contract.sources import MAX_SOURCES, Source
from shared.runtime.keys import ArticleKeys
from shared.runtime.lanes import Lanes

#: Entries that are remembered of a source, the newest first.
MAX_SEEN = 2_000
_SEEN = " seen"


class NoSuchSource(LookupError):
    """The article has no source of this name."""


class NoSuchArticle(LookupError):
    """There is no such article, or it was killed."""


class SourceExists(ValueError):
    """The article has a source of that name, or as many as it may have; says which."""


@dataclass(frozen=True, slots=True)
class Word:
    """What operators say of one source: its *source*, unless an event does, and the rest."""

    source: Source | None = None
    paused: bool = False
    secret: str | None = None
    """Sealed for `owner`, so for one address: another one has to be given another secret."""
    made: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stand:
    """How far a source was pulled, and how that went.

    *etag* and *modified* are what the server gave with the document of *url*; *cursor* is an
    updater's own. *refused* is why an event of it was refused last.
    """

    kind: str = ""
    url: str = ""
    etag: str = ""
    modified: str = ""
    cursor: Any = None
    ran: datetime | None = None
    succeeded: datetime | None = None
    failures: int = 0
    reason: str = ""
    refused: str = ""
    filed: int = 0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One source of an article; *event*: that an event named it, and no operator did."""

    source: Source
    word: Word = field(default_factory=Word)
    event: bool = False


T = TypeVar("T")

_WORD: TypeAdapter[Word] = TypeAdapter(Word)
_STAND: TypeAdapter[Stand] = TypeAdapter(Stand)
_SEEN_ALL: TypeAdapter[dict[str, Seen]] = TypeAdapter(dict[str, Seen])
_PULL: TypeAdapter[list[Source]] = TypeAdapter(list[Source])


def owner(slug: str, source: Source) -> str:
    """Return whom a secret is sealed for."""
    return f"source {slug} {source.name} {source.url}"


@dataclass(frozen=True, slots=True)
class Records:
    """The records of all articles' sources."""

    redis: Redis
    lanes: Lanes

    def keys(self, slug: str) -> ArticleKeys:
        """Return the keys of article *slug*."""
        return self.lanes.of(slug).article(slug)

    async def status(self, slug: str) -> str | None:
        """Return how the article was filed last: live, closed, held or killed."""
        found: Any = await self.redis.hget(self.keys(slug).article, "status")
        return found.decode() if found else None

    async def everyone(self, slug: str) -> list[Listed]:
        """Return all sources of an article, those of operators last."""
        keys = self.keys(slug)
        async with self.redis.pipeline(transaction=False) as asked:
            asked.hget(keys.article, "pull")
            asked.hgetall(keys.sources)
            pull, words = await asked.execute()
        return _listed(pull, words)

    async def find(self, slug: str, name: str) -> Listed:
        """Return one source. Raises NoSuchSource."""
        for listed in await self.everyone(slug):
            if listed.source.name == name:
                return listed
        raise NoSuchSource(name)

    async def add(self, slug: str, source: Source, made: datetime, secret: str | None) -> None:
        """Add a source. Raises NoSuchArticle or SourceExists."""
        keys = self.keys(slug)

        async def step(pipe: Any) -> None:
            status, pull = await pipe.hmget(keys.article, "status", "pull")
            words = await pipe.hgetall(keys.sources)
            if status is None or status == b"killed":
                raise NoSuchArticle(slug)
            known = _listed(pull, words)
            if source.name in {each.source.name for each in known}:
                raise SourceExists(f"the article has a source {source.name} already")
            if len(known) >= MAX_SOURCES:
                raise SourceExists(f"an article has {MAX_SOURCES} sources at most; remove one")
            pipe.multi()
            word = Word(source, secret=secret, made=made)
            pipe.hset(keys.sources, source.name, _WORD.dump_json(word))
            pipe.zincrby(keys.lane.ticks, 1, slug)  # the clock is to look at it

        await self.redis.transaction(step, keys.article, keys.sources)

    async def change(self, slug: str, name: str, changed: Callable[[Listed], Word]) -> Word:
        """Replace what is said of a source; of two at a time neither undoes the other.

        Raises:
            NoSuchSource: the article has none of that name.
        """
        keys = self.keys(slug)

        async def step(pipe: Any) -> Word:
            pull = await pipe.hget(keys.article, "pull")
            words = await pipe.hgetall(keys.sources)
            known = _listed(pull, words)
            for listed in known:
                if listed.source.name == name:
                    word = changed(listed)
                    pipe.multi()
                    pipe.hset(keys.sources, name, _WORD.dump_json(word))
                    pipe.zincrby(keys.lane.ticks, 1, slug)
                    return word
            raise NoSuchSource(name)

        word: Word = await self.redis.transaction(
            step, keys.article, keys.sources, value_from_callable=True
        )
        return word

    async def pause(self, slug: str, name: str, *, paused: bool) -> None:
        """Have a source left alone, or pulled again. Raises NoSuchSource."""
        await self.change(slug, name, lambda listed: replace(listed.word, paused=paused))

    async def remove(self, slug: str, name: str) -> None:
        """Take away what an operator added, and how far it was pulled.

        Raises:
            NoSuchSource: the article has none of that name.
            SourceExists: an event named it, so another one has to take it away.
        """
        listed = await self.find(slug, name)
        if listed.event:
            raise SourceExists(
                f"{name} came with an event; file a writethru whose pull is without it, or pause it"
            )
        keys = self.keys(slug)
        async with self.redis.pipeline(transaction=True) as step:
            step.hdel(keys.sources, name)
            step.hdel(keys.pulled, name, name + _SEEN)
            step.zincrby(keys.lane.ticks, 1, slug)
            await step.execute()

    async def stands(self, slug: str) -> dict[str, Stand]:
        """Return how all sources of an article were pulled, by their names."""
        keys = self.keys(slug)
        names = [each.source.name for each in await self.everyone(slug)]
        found: Any = await self.redis.hmget(keys.pulled, names) if names else []
        return {name: _read(_STAND, said, Stand()) for name, said in zip(names, found, strict=True)}

    async def due(self, slug: str, names: Sequence[str]) -> dict[str, datetime]:
        """Return when those of *names* are pulled next that the clock has planned."""
        ticks = self.keys(slug).lane.ticks
        async with self.redis.pipeline(transaction=False) as asked:
            for name in names:
                asked.zscore(ticks, f"{slug} {name}")
            found = await asked.execute()
        times = zip(names, found, strict=True)
        return {name: datetime.fromtimestamp(at / 1e3, UTC) for name, at in times if at}

    async def stand(self, slug: str, source: Source) -> tuple[Stand, dict[str, Seen]]:
        """Return how far *source* was pulled: not at all, if that was another address or kind."""
        name = source.name
        found: Any = await self.redis.hmget(self.keys(slug).pulled, [name, name + _SEEN])
        stand = _read(_STAND, found[0], Stand())
        if (stand.kind, stand.url) != (source.kind, source.url):
            return Stand(source.kind, source.url), {}
        return stand, _read(_SEEN_ALL, found[1], {})

    async def look_again(self, slug: str) -> None:
        """Have the clock see what is to be pulled, as that may have changed."""
        await self.redis.zincrby(self.keys(slug).lane.ticks, 1, slug)

    async def keep(
        self, slug: str, name: str, stand: Stand, seen: Mapping[str, Seen] | None
    ) -> None:
        """Keep how far a source was pulled; *seen* is None where that has not changed."""
        fields: dict[Any, Any] = {name: _STAND.dump_json(stand)}
        if seen is not None:
            newest = dict(list(seen.items())[-MAX_SEEN:])
            fields[name + _SEEN] = _SEEN_ALL.dump_json(newest)
        await self.redis.hset(self.keys(slug).pulled, mapping=fields)


def _listed(pull: bytes | None, said: Mapping[bytes, bytes]) -> list[Listed]:
    """Return all sources; where an operator has added one of the same name, that one counts."""
    words = {name.decode(): _read(_WORD, word, Word()) for name, word in said.items()}
    named = {each.name: each for each in _pull(pull)}
    added = {name: word for name, word in words.items() if word.source is not None}
    events = [
        Listed(source, words.get(name, Word()), event=True)
        for name, source in named.items()
        if name not in added
    ]
    return events + [Listed(word.source, word) for word in added.values() if word.source]


def _pull(said: bytes | None) -> list[Source]:
    """Read what an event named; ingest checked it when it was filed."""
    try:
        return _PULL.validate_python(orjson.loads(said)) if said else []
    except (ValueError, ValidationError):
        return []


def _read(form: TypeAdapter[T], said: bytes | None, otherwise: T) -> T:
    """Read what we wrote; *otherwise* where there is nothing, or nothing of that form."""
    try:
        return form.validate_json(said) if said else otherwise
    except ValidationError:
        return otherwise
