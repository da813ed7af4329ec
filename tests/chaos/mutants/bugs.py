"""Protocols with one bug each, in the processes themselves: a chaos that finds none proves nothing.

Each is put into the processes of one service before they begin: another line in a script, or
another method in place of ours. What is not that service's is not even imported.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.runtime.keys import RENDER_GROUP
from shared.runtime.scripts import Script

Mutant = Callable[[], None]

_EVENTS_LINE = """    redis.call("XADD", KEYS[5], "*", "article", slug, "seq", seq, "chain", chain,
        "data", event.envelope)
"""
_DIRTY_LINE = """    redis.call("ZADD", KEYS[6], "NX", ms, slug)
"""
_COMPARE = (
    """    if version ~= from or (rev < plan.rev and not plan.replace) then """
    """return "stale" end
    if (article[3] or "") ~= ARGV[3] then return "fork" end
"""
)
_CLEAN = """if version >= seq then
    redis.call("ZREM\""""
_HISTORY = """    if not last or string.match(last, '^{"seq":%d+,"chain":"(%x+)"') ~= ARGV[5] then
        return "fork"
    end
"""
_TOLD = """        told = redis.call("XADD", KEYS[7], "*", "article", slug, "from", from, "to", to,
            "chain", ARGV[5], "head", ARGV[7], "kinds", plan.kinds, unpack(more))
"""


def _put(owner: Any, name: str, value: Any) -> None:
    """Put *value* in place of what is there; it must be there."""
    assert hasattr(owner, name), (owner, name)
    setattr(owner, name, value)


def lua(file: str, *changes: tuple[str, str]) -> Mutant:
    """Return a mutant whose script *file* has other text; each change must fit once."""

    def apply() -> None:
        made = Script.__init__

        def init(self: Script, package: str, *names: str, **more: Any) -> None:
            made(self, package, *names, **more)
            if file in names:
                for old, new in changes:
                    assert self.text.count(old) == 1, (file, old)
                    self.text = self.text.replace(old, new)
                self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

        _put(Script, "__init__", init)

    return apply


def _dedupe_apart() -> None:
    """Ingest looks ids up, then appends: two calls."""
    from services.ingest.append import Appender

    lua("append.lua", ("if known then", "if false then"))()
    run = Appender._run

    async def apart(self: Any, lane: Any, calls: Any, wait: Any) -> list[Any]:
        known = [await self._redis.hget(keys[0], args[1]) for keys, args in calls]
        await asyncio.sleep(0)
        new = [call for call, found in zip(calls, known, strict=True) if not found]
        replies = iter(await run(self, lane, new, wait) if new else ())
        return [_known(found) if found else next(replies) for found in known]

    _put(Appender, "_run", apart)


def _known(found: bytes) -> list[bytes]:
    seq, chain, _ = found.split()
    return [b"duplicate", seq] if chain == b"-" else [b"duplicate", seq, chain]


def _dedupe_first() -> None:
    """Ingest reserves ids, then appends: who dies between has lost the event."""
    from services.ingest.append import Appender

    run = Appender._run

    async def first(self: Any, lane: Any, calls: Any, wait: Any) -> list[Any]:
        taken = [await self._redis.hsetnx(f"{keys[0]}:ids", args[1], "") for keys, args in calls]
        new = [call for call, ours in zip(calls, taken, strict=True) if ours]
        replies = iter(await run(self, lane, new, wait) if new else ())
        known = [await self._redis.hget(keys[0], args[1]) for keys, args in calls]
        return [
            next(replies) if ours else _known(found) if found else [b"duplicate", b"held"]
            for ours, found in zip(taken, known, strict=True)
        ]

    _put(Appender, "_run", first)


def _wake_apart() -> None:
    """Ingest stores, then wakes: two calls."""
    from services.ingest.append import Appender

    lua("append.lua", (_EVENTS_LINE, ""), (_DIRTY_LINE, ""))()
    run = Appender._run

    async def apart(self: Any, lane: Any, calls: Any, wait: Any) -> list[Any]:
        replies = await run(self, lane, calls, wait)
        for (keys, args), reply in zip(calls, replies, strict=True):
            if reply[0] == b"accepted":
                wakeup = {"article": args[0], "seq": reply[1], "chain": reply[2], "data": args[7]}
                await self._redis.xadd(keys[4], wakeup)
                seconds, micros = await self._redis.time()
                now = seconds * 1_000 + micros // 1_000
                await self._redis.zadd(keys[5], {args[0]: now}, nx=True)
        return list(replies)

    _put(Appender, "_run", apart)


def _ack_first() -> None:
    """A renderer acks what it has read, then renders it."""
    from services.render.rendering import Rendering

    take = Rendering.take

    async def first(self: Any, lane: Any, entries: Any, taken: Any = "read") -> None:
        if entries:
            await self._redis.xack(lane.events, RENDER_GROUP, *(name for name, _ in entries))
        await take(self, lane, entries, taken)

    _put(Rendering, "take", first)


def _outbox_apart() -> None:
    """A renderer commits, then tells: two calls."""
    from services.render.core.writes import heads
    from services.render.store import Store

    lua("commit.lua", (_TOLD, ""))()
    run = Store._run_commit

    async def apart(self: Any, keys: Any, filed: Any, writes: Any, to: int, *rest: Any) -> Any:
        commit = await run(self, keys, filed, writes, to, *rest)
        if commit.result == "committed":
            facts = {"article": keys.slug, "from": filed.version, "to": to, "chain": rest[0]}
            told = {"head": heads(writes)[1], "kinds": ",".join(writes.kinds)}
            await self._redis.xadd(keys.lane.changes, facts | told)
        return commit

    _put(Store, "_run_commit", apart)


def _no_sweep() -> None:
    """What nobody is woken for is never rendered."""
    from services.render.sweep import Sweeper

    async def never(self: Any) -> None:
        await asyncio.Event().wait()

    _put(Sweeper, "run", never)


def _no_file() -> None:
    """The engine keeps everything in memory, and nobody asks it."""
    from shared.runtime import durability, engine

    words = list(engine.SETTINGS)
    words[words.index("--appendonly") + 1] = "no"
    _put(engine, "SETTINGS", tuple(words))

    async def kept(redis: Any, wanted: Any) -> bool:
        return True

    _put(durability, "_kept", kept)


def _hose_from_now() -> None:
    """Who comes back to the stream of all articles is told what comes next."""
    from services.deliver.firehose import Firehose

    async def now(self: Any, request: Any, send: Any) -> bool:
        return True

    _put(Firehose, "_catch_up", now)


def _live_from_now() -> None:
    """Who comes back to an article's stream is told what comes next."""
    from services.deliver import live

    _put(live, "_place_of", lambda request: None)


def _no_look() -> None:
    """After an outbox was lost, or the engine away, nobody looks where articles are."""
    from services.deliver.hub import Hub

    async def nothing(self: Any, lanes: Any) -> None:
        return

    _put(Hub, "_look_at_heads", nothing)


#: By service: the bugs that go into its processes, `up` being services.cli's.
_OF: Mapping[str, Mapping[str, Mutant]] = {
    "services.ingest": {
        "no dirty mark": lua("append.lua", (_DIRTY_LINE, "")),
        "ids known for two seconds": lua(
            "append.lua", (_DIRTY_LINE, _DIRTY_LINE + '    redis.call("EXPIRE", KEYS[1], 2)\n')
        ),
        "dedupe apart from append": _dedupe_apart,
        "dedupe before append": _dedupe_first,
        "wake-up apart from append": _wake_apart,
        "an engine without its file": _no_file,
    },
    "services.render": {
        "commit without compare": lua("commit.lua", (_COMPARE, "")),
        "commit without the ledger's chain": lua("commit.lua", (_HISTORY, "")),
        "ack beyond the version": lua(
            "commit.lua", ("if item[2] <= version or version >= seq then", "if true then")
        ),
        "clean too soon": lua("commit.lua", (_CLEAN, _CLEAN.replace("version >= seq", "true"))),
        "withdraw blindly": lua("withdraw.lua", ("if current ~= ref then", "if true then")),
        "ack first": _ack_first,
        "outbox apart from commit": _outbox_apart,
        "no sweep": _no_sweep,
    },
    "services.deliver": {
        "all: resume from now": _hose_from_now,
        "article: resume from now": _live_from_now,
        "no look after a loss": _no_look,
    },
    "services.cli": {"an engine without its file": _no_file},
}
#: Their names.
MUTANTS = tuple(dict.fromkeys(name for bugs in _OF.values() for name in bugs))


def infect(name: str, words: Sequence[str]) -> None:
    """Put the bug *name* into this process, if its command line *words* say it is for it."""
    for service, bugs in _OF.items():
        if service in words and name in bugs:
            bugs[name]()
