"""Looking an installation over: the facts that `doctor` judges, and nothing changed by looking."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.cli.quarantined import read_quarantined
from shared.runtime import api_keys
from shared.runtime.backlog import (
    Behind,
    Holding,
    Wakeups,
    read_behind,
    read_holding,
    read_wakeups,
    together,
)
from shared.runtime.clock import now
from shared.runtime.cluster import Cluster
from shared.runtime.durability import NEEDED
from shared.runtime.keys import INBOX, INBOX_GROUP, INBOX_READER, LANES, META, RENDER_GROUP, Lane
from shared.runtime.lanes import Lanes
from shared.runtime.redis import place, primaries
from shared.runtime.sentinels import Followed
from shared.runtime.skew import skew_of

T = TypeVar("T")
Company = Literal["alone", "sentinels", "cluster"]


@dataclass(frozen=True, slots=True)
class Keys:
    """How *many* API keys there are, and how many open something; *damaged*: one can't be read."""

    many: int = 0
    alive: int = 0
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A group of a *stream*, and for how long it has left an entry there unacknowledged."""

    stream: str
    group: str
    hours: float


@dataclass(frozen=True, slots=True)
class Installed:
    """What is in the engine.

    *silence* is how many seconds ago a renderer last asked for work in the lane that has waited
    longest for one; None where none ever did.
    """

    tags: tuple[str, ...]
    schema: int
    has_key: bool
    behind: Sequence[Behind] = ()
    wakeups: Sequence[Wakeups] = ()
    silence: float | None = None
    keys: Keys = Keys()
    inbox_waiting: int = 0
    inbox_read: bool = False
    held: Sequence[Held] = ()
    holding: Holding = field(default_factory=Holding)
    quarantined: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found of one server at *place*; of a cluster's primaries, *others* are the rest.

    *config* lacks what the engine does not tell; *skew* is by how many seconds its clock is ahead
    of ours, at least; *disk_free* is known of our own engine's data folder only.
    """

    info: Mapping[str, Any]
    config: Mapping[str, str]
    skew: float
    installed: Installed | None = None
    disk_free: int | None = None
    place: str = ""
    company: Company = "alone"
    others: Sequence[Examined] = ()


async def examine(redis: Redis, data_dir: Path | None) -> Examined:
    """Look at everything."""
    first, *others = [await _examine(node, _company(redis)) for node in await primaries(redis)]
    return replace(
        first,
        installed=await _installed(redis),
        disk_free=shutil.disk_usage(data_dir).free if data_dir else None,
        others=others,
    )


async def _examine(redis: Redis, company: Company) -> Examined:
    return Examined(
        info=await _asked(redis.info(), {}),
        config=await _config(redis),
        skew=await skew_of(redis),
        place=place(redis),
        company=company,
    )


def _company(redis: Redis) -> Company:
    if isinstance(redis, Cluster):
        return "cluster"
    return "sentinels" if isinstance(redis, Followed) else "alone"


async def _asked(answer: Awaitable[T], without: T) -> T:
    """Return *answer*, or *without* where the engine does not tell us."""
    try:
        return await answer
    except ResponseError:
        return without


async def _config(redis: Redis) -> dict[str, str]:
    found: Any = await _asked(redis.config_get(*NEEDED), {})
    return {_text(name): _text(value) for name, value in found.items()}


async def _installed(redis: Redis) -> Installed | None:
    facts: Any = await redis.hmget(META, ["key", "schema"])
    tags = tuple(_text(tag) for tag in await redis.lrange(LANES, 0, -1))
    if not tags:
        return None
    lanes = Lanes(tags)
    held = [each for lane in lanes for each in await _held(redis, lane)]
    inbox: Any = await _asked(redis.xinfo_groups(INBOX), [])
    group = next((each for each in inbox if each["name"] == INBOX_GROUP.encode()), None)
    return Installed(
        tags=tags,
        schema=int(facts[1] or 0),
        has_key=bool(facts[0]),
        behind=await read_behind(redis, lanes),
        wakeups=await read_wakeups(redis, lanes),
        silence=await _silence(redis, lanes),
        keys=await _keys(redis),
        inbox_waiting=await redis.xlen(INBOX),
        inbox_read=group is not None and bool(await redis.exists(INBOX_READER)),
        held=held,
        holding=together(await read_holding(redis, lanes)),
        quarantined=await read_quarantined(redis, lanes),
    )


async def _silence(redis: Redis, lanes: Lanes) -> float | None:
    longest = 0.0
    for lane in lanes:
        consumers: Any = await _asked(redis.xinfo_consumers(lane.events, RENDER_GROUP), [])
        if not consumers:
            return None
        longest = max(longest, min(each["idle"] for each in consumers) / 1e3)
    return longest


async def _keys(redis: Redis) -> Keys:
    try:
        keys = await api_keys.everyone(redis)
    except api_keys.NoSuchKey:
        return Keys(damaged=True)
    at = now()
    return Keys(len(keys), sum(bool(key.alive(at)) for key in keys))


async def _held(redis: Redis, lane: Lane) -> list[Held]:
    """Return what the groups of the lane's streams have left."""
    seconds, _ = await redis.time()
    held = []
    for stream in (lane.events, lane.changes):
        groups: Any = await _asked(redis.xinfo_groups(stream), [])
        for group in groups:
            if oldest := await _oldest_left(redis, stream, group):
                hours = (seconds - oldest / 1e3) / 3_600
                held.append(Held(stream, _text(group["name"]), hours))
    return held


async def _oldest_left(redis: Redis, stream: str, group: Mapping[str, Any]) -> int | None:
    """Return from which millisecond the oldest entry is that *group* has not acknowledged."""
    if group["pending"]:
        summary: Any = await redis.xpending(stream, group["name"])
        return _moment(summary["min"])
    after: Any = await redis.xrange(stream, f"({_text(group['last-delivered-id'])}", count=1)
    return _moment(after[0][0]) if after else None


def _moment(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
