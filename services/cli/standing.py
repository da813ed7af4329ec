"""How an installation stands at one moment: what `status` shows, read in a few steps."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from shared.article.dates import rfc3339
from shared.runtime.backlog import Behind, Holding, Wakeups, read_behind, read_wakeups
from shared.runtime.keys import INBOX, REFUSED
from shared.runtime.lanes import Lanes
from shared.runtime.punctuality import Punctual
from shared.runtime.redis import primaries
from shared.runtime.subscribers import Subscribers

#: Rates are means over this long, so that they don't flutter.
RATE_SECONDS = 10.0

_READERS = re.compile(r"([0-9]+) of ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine; *memory_max* is 0 where there is no limit."""

    name: str
    uptime_seconds: int
    memory_used: int
    memory_max: int
    clients: int


@dataclass(frozen=True, slots=True)
class LaneStanding:
    """One lane. *filed* events and *commits* count from its beginning."""

    tag: str
    articles: int
    behind: Behind
    wakeups: Wakeups
    filed: int
    commits: int


@dataclass(frozen=True, slots=True)
class Newest:
    """The article that was updated last."""

    article: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Deliver:
    """One deliver process: its *readers* out of *room*, or what is the matter with it."""

    url: str
    readers: int = 0
    room: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """What happens in a second."""

    filed: float
    commits: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything at one moment; *rates* take two of them."""

    at: datetime
    place: str
    engine: Engine
    lanes: Sequence[LaneStanding]
    newest: Newest | None
    waiting: int
    refused: int
    delivers: Sequence[Deliver]
    quarantined: Mapping[str, Sequence[int]]
    holding: Holding = field(default_factory=Holding)
    subscribers: Subscribers = field(default_factory=Subscribers)
    punctual: Punctual = field(default_factory=Punctual)
    rates: Rates | None = None

    def total(self, figure: str) -> int:
        """Return the sum over all lanes of one of a lane's figures."""
        return sum(getattr(lane, figure) for lane in self.lanes)

    @property
    def behind(self) -> Behind:
        """All lanes together."""
        lags = [lane.behind for lane in self.lanes]
        return Behind(sum(lag.many for lag in lags), max(lag.seconds for lag in lags))

    @property
    def wakeups(self) -> Wakeups:
        """All lanes together."""
        every = [lane.wakeups for lane in self.lanes]
        return Wakeups(
            sum(each.unread for each in every),
            sum(each.pending for each in every),
            all(each.grouped for each in every),
        )


class Pace:
    """Makes rates of the totals of moments that follow each other."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def at(self, seconds: float, filed: int, commits: int) -> Rates | None:
        """Take one moment's totals in, and return the rates up to it; None for the first."""
        if self._seen and (filed < self._seen[-1][1] or commits < self._seen[-1][2]):
            self._seen.clear()  # a stream was made anew, and counts from its beginning
        self._seen.append((seconds, filed, commits))
        while seconds - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        began, first_filed, first_commits = self._seen[0]
        if seconds == began:
            return None
        took = seconds - began
        return Rates((filed - first_filed) / took, (commits - first_commits) / took)


async def read_engine(redis: Redis) -> Engine:
    """Ask the engine about itself; the nodes of a cluster are one."""
    infos: list[Any] = [await node.info() for node in await primaries(redis)]
    valkey = infos[0].get("valkey_version")
    return Engine(
        name=f"Valkey {valkey}" if valkey else f"Redis {infos[0]['redis_version']}",
        uptime_seconds=min(info["uptime_in_seconds"] for info in infos),
        memory_used=sum(info["used_memory"] for info in infos),
        memory_max=sum(info["maxmemory"] for info in infos),
        clients=sum(info["connected_clients"] for info in infos),
    )


async def read_lanes(redis: Redis, lanes: Lanes) -> list[LaneStanding]:
    """Look at every lane."""
    behind = await read_behind(redis, lanes)
    wakeups = await read_wakeups(redis, lanes)
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.zcard(lane.latest)
            asked.xinfo_stream(lane.events)
            asked.xinfo_stream(lane.changes)
        answers = await asked.execute(raise_on_error=False)
    figures = zip(
        answers[0::3], map(_added, answers[1::3]), map(_added, answers[2::3]), strict=True
    )
    return [
        LaneStanding(lane.tag, articles, its_behind, its_wakeups, filed, commits)
        for lane, its_behind, its_wakeups, (articles, filed, commits) in zip(
            lanes, behind, wakeups, figures, strict=True
        )
    ]


def _added(stream: Any) -> int:
    if isinstance(stream, ResponseError) and "no such key" in str(stream):
        return 0
    if isinstance(stream, Exception):
        raise stream
    return int(stream["entries-added"])


async def read_newest(redis: Redis, lanes: Lanes) -> Newest | None:
    """Return the article that was updated last."""
    async with redis.pipeline(transaction=False) as asked:
        for lane in lanes:
            asked.zrevrange(lane.latest, 0, 0, withscores=True)
        found: list[Any] = [each for some in await asked.execute() for each in some]
    if not found:
        return None
    slug, micros = max(found, key=lambda each: each[1])
    return Newest(slug.decode(), datetime.fromtimestamp(micros / 1e6, UTC))


async def read_inbox(redis: Redis) -> tuple[int, int]:
    """Return how many events wait in the inbox, and how many of it were refused."""
    return await redis.xlen(INBOX), await redis.xlen(REFUSED)


async def read_deliver(http: httpx2.AsyncClient, url: str) -> Deliver:
    """Ask one deliver process how it is."""
    try:
        answer = await http.get(f"{url}/readyz")
        checks = answer.json()["checks"]
    except (httpx2.TransportError, ValueError, LookupError):
        return Deliver(url, trouble="does not answer")
    readers = _READERS.fullmatch(checks.get("readers", {}).get("detail", ""))
    wrong = [f"{name} {check['detail']}" for name, check in checks.items() if not check["ok"]]
    return Deliver(
        url,
        int(readers[1]) if readers else 0,
        int(readers[2]) if readers else 0,
        "; ".join(wrong),
    )


def to_json(standing: Standing) -> dict[str, Any]:
    """Return *standing* for programs."""
    engine, newest, rates = standing.engine, standing.newest, standing.rates
    return {
        "at": rfc3339(standing.at),
        "engine": {
            "address": standing.place,
            "name": engine.name,
            "uptime_seconds": engine.uptime_seconds,
            "memory_used_bytes": engine.memory_used,
            "memory_max_bytes": engine.memory_max,
            "clients": engine.clients,
        },
        "articles": {
            "count": standing.total("articles"),
            "newest": newest
            and {"article": newest.article, "updated_at": rfc3339(newest.updated_at)},
        },
        **_work(standing.behind, standing.wakeups),
        "filed": standing.total("filed"),
        "commits": standing.total("commits"),
        "rates": rates and {"filed": rates.filed, "commits": rates.commits},
        "held": {
            "events": standing.holding.many,
            "overdue_seconds": round(standing.holding.overdue, 3),
        },
        "cadence": {
            "on_time": standing.punctual.on_time,
            "due": standing.punctual.due,
            "overdue": standing.punctual.overdue,
            "articles": [
                {"article": each.article, "since": rfc3339(each.since)}
                for each in standing.punctual.late
            ],
        },
        "inbox": {"waiting": standing.waiting, "refused": standing.refused},
        "quarantine": standing.quarantined,
        "subscriptions": asdict(standing.subscribers),
        "deliver": [_deliver(each) for each in standing.delivers],
        "lanes": [_lane(lane) for lane in standing.lanes],
    }


def _lane(lane: LaneStanding) -> dict[str, Any]:
    return {
        "lane": lane.tag,
        "articles": lane.articles,
        **_work(lane.behind, lane.wakeups),
        "filed": lane.filed,
        "commits": lane.commits,
    }


def _work(behind: Behind, wakeups: Wakeups) -> dict[str, Any]:
    return {
        "behind": behind.many,
        "lag_seconds": round(behind.seconds, 3),
        "unread": wakeups.unread,
        "pending": wakeups.pending,
    }


def _deliver(deliver: Deliver) -> dict[str, Any]:
    facts: dict[str, Any] = {"url": deliver.url, "ready": not deliver.trouble}
    if deliver.room:
        facts |= {"readers": deliver.readers, "room": deliver.room}
    return facts | ({"trouble": deliver.trouble} if deliver.trouble else {})
