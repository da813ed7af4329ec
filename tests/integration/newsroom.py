"""A newsroom that files straight into the engine, and what a test needs to watch renderers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from services.ingest import append
from services.ingest.masks import Masks
from services.render.core.wakeups import Wakeup
from shared.article.article import Article
from shared.article.dates import rfc3339
from shared.article.fold import replay
from shared.article.stored import link_of, load_entry
from shared.contract.acts import Redacted
from shared.contract.canonical import fingerprint
from shared.contract.events import parse_event
from shared.runtime.installation import open_installation
from shared.runtime.keys import RENDER_GROUP, ArticleKeys, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.scripts import Script
from tests.builders import OPENING, SLUG, Envelope, records

APPEND = Script("services.ingest", *append.APPEND)


@dataclass(frozen=True)
class Newsroom:
    """Files events by ingest's own script; *key* is the installation's."""

    redis: Redis
    lanes: Lanes
    key: bytes

    def keys(self, slug: str = SLUG) -> ArticleKeys:
        return self.lanes.of(slug).article(slug)

    async def file(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            code, *_ = await self.append(envelope)
            assert code == b"accepted", code

    async def append(self, envelope: Envelope) -> list[bytes]:
        """Run the script as ingest would, and return its answer."""
        event = parse_event(envelope)
        keys = self.keys(event.subject)
        masks = Masks(self.redis, keys, event.update_id or "")
        answer: Any = await APPEND.run(
            self.redis,
            keys.filing,
            [
                event.subject,
                f"{event.id} {event.source}",
                fingerprint(self.key, envelope),
                event.type.removeprefix("writethru."),
                event.update_id or "",
                "",
                "false" if event.time else "true",
                orjson.dumps({"time": rfc3339(OPENING)} | envelope),
                *(0, "", "[]"),
                *(await masks.read_on() if isinstance(event.act, Redacted) else ()),
            ],
        )
        return list(answer)

    async def file_at_once(self, *envelopes: Envelope) -> None:
        """Make posts the beginning of an article; quick, and without wake-ups."""
        ledger = list(records(*envelopes, key=self.key))
        keys = self.keys(str(envelopes[0]["subject"]))
        seen: list[Any] = []
        for envelope, record in zip(envelopes, ledger, strict=True):
            seq, chain, fingerprint = link_of(record)
            name = f"{envelope['id']} {envelope['source']}"
            seen += [name, f"{seq} {chain} {fingerprint}"]
        for start in range(0, len(ledger), 1_000):
            await self.redis.rpush(keys.ledger, *ledger[start : start + 1_000])
            await self.redis.hset(keys.seen, items=seen[2 * start : 2 * start + 2_000])
        posted = [str(envelope["data"].get("update_id")) for envelope in envelopes]
        await self.redis.hset(
            keys.posted, items=[part for name in posted for part in (name, "live")]
        )
        last = link_of(ledger[-1])
        facts: Any = {"seq": last.seq, "chain": last.chain, "status": "live"}
        await self.redis.hset(keys.article, mapping=facts)

    async def replayed(self, slug: str = SLUG) -> Article:
        """Return what the ledger gives."""
        found: Any = await self.redis.lrange(self.keys(slug).ledger, 0, -1)
        return replay(slug, [load_entry(record) for record in found])

    async def version(self, slug: str = SLUG) -> int:
        """Return the version that is committed."""
        return int(await self.redis.hget(self.keys(slug).article, "version") or 0)

    async def dirty(self, slug: str = SLUG) -> bool:
        return await self.redis.zscore(self.keys(slug).lane.dirty, slug) is not None


async def open_newsroom(redis: Redis, lanes: int = 2) -> Newsroom:
    installation = await open_installation(redis, lanes)
    return Newsroom(redis, installation.lanes, installation.key)


async def take_wakeups(redis: Redis, lane: Lane, consumer: str = "one") -> list[Wakeup]:
    """Read what is new on *lane* as a member of the group, and leave it pending."""
    found: Any = await redis.xreadgroup(RENDER_GROUP, consumer, {lane.events: ">"}, count=1_000)
    entries = found[0][1] if found else []
    return [(entry_id.decode(), int(fields[b"seq"])) for entry_id, fields in entries]


async def pending(redis: Redis, lane: Lane) -> list[str]:
    """Return the ids of what was taken and not acked."""
    found: Any = await redis.xpending_range(lane.events, RENDER_GROUP, "-", "+", 1_000)
    return [facts["message_id"].decode() for facts in found]


async def dump(redis: Redis, but: Iterable[str] = ()) -> dict[str, Any]:
    """Return everything that the engine holds, readable, but the keys in *but*."""
    names: Any = await redis.keys("*")
    return {name.decode(): await _value(redis, name) for name in names if name.decode() not in but}


async def _value(redis: Redis, name: bytes) -> Any:
    readers: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: redis.get(name),
        b"hash": lambda: redis.hgetall(name),
        b"list": lambda: redis.lrange(name, 0, -1),
        b"zset": lambda: redis.zrange(name, 0, -1, withscores=True),
        b"stream": lambda: redis.xrange(name),
    }
    kind: Any = await redis.type(name)
    return await readers[kind]()


def before_the_next_script(redis: Redis, act: Callable[[], Awaitable[object]]) -> None:
    """Let *act* come between what a renderer has read and the commit that follows."""
    run: Any = redis.evalsha

    async def evalsha(*words: Any) -> Any:
        redis.evalsha = run  # type: ignore[method-assign]
        await act()
        return await run(*words)

    redis.evalsha = evalsha  # type: ignore[method-assign,assignment]
