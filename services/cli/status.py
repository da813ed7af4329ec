"""`writethru status`: how an installation does, live or at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx2
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError
from rich.console import Console
from rich.live import Live
from typer import Option

from services.cli import foreground
from services.cli.board import board
from services.cli.options import address, settings
from services.cli.quarantined import read_quarantined
from services.cli.standing import (
    Pace,
    Standing,
    read_deliver,
    read_engine,
    read_inbox,
    read_lanes,
    read_newest,
    to_json,
)
from services.cli.stored import DataDir, RedisUrl, installation
from shared.runtime.backlog import read_holding, together
from shared.runtime.clock import monotonic, now
from shared.runtime.lanes import Lanes
from shared.runtime.punctuality import read_punctual
from shared.runtime.redis import place
from shared.runtime.subscribers import read_subscribers

LOOK_SECONDS = 1.0
#: A silent engine must not look as if nothing happened.
PATIENCE_SECONDS = 3.0
#: Of more articles that are overdue, those that are so for longest are named.
LATE_NAMED = 100


def command(
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
    delivers: Annotated[
        list[str] | None,
        Option("--from", metavar="URL", help="Where deliver is; once for each process of it."),
    ] = None,
    once: Annotated[bool, Option("--once", metavar="", help="Print it once, and exit.")] = False,
    json: Annotated[
        bool, Option("--json", metavar="", help="As JSON: one object a second, or one with --once.")
    ] = False,
) -> None:
    """See how it does: engine, lanes, articles, readers and what waits.

    Live in a terminal, until Ctrl-C. It needs the engine alone; nothing is changed.
    """
    console = Console()
    urls = delivers or [address(settings().deliver_listen)]
    once = once or not (json or console.is_terminal)
    foreground.run(lambda: _status(redis_url, data_dir, urls, console, once=once, json=json))


async def _status(
    redis_url: str | None,
    data_dir: Path | None,
    delivers: Sequence[str],
    console: Console,
    *,
    once: bool,
    json: bool,
) -> None:
    async with (
        installation(redis_url, data_dir) as (redis, here),
        httpx2.AsyncClient(trust_env=False, timeout=2.0) as http,
    ):
        looker = Looker(redis, here.lanes, http, delivers)
        if json:
            await _tell(looker, once=once)
        elif once:
            console.print(board(await looker.look()), highlight=False, soft_wrap=True)
        else:
            await _show(looker, console)


async def _tell(looker: Looker, *, once: bool) -> None:
    while True:
        print(orjson.dumps(to_json(await looker.look())).decode(), flush=True)
        if once:
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _show(looker: Looker, console: Console) -> None:
    """Show it on a screen of its own, and leave the last of it behind."""
    seen = await looker.look()
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                view = board(seen, height=console.height, trouble=looker.trouble)
                view.no_wrap, view.overflow = True, "ellipsis"
                live.update(view, refresh=True)
                await asyncio.sleep(LOOK_SECONDS)
                seen = await looker.look_again(seen)
    finally:
        console.print(board(seen, trouble=looker.trouble), highlight=False, soft_wrap=True)


class Looker:
    """Looks again and again at the same installation."""

    def __init__(
        self, redis: Redis, lanes: Lanes, http: httpx2.AsyncClient, delivers: Sequence[str]
    ) -> None:
        self._redis = redis
        self._lanes = lanes
        self._http = http
        self._delivers = delivers
        self._pace = Pace()
        self.trouble = ""
        """Why the last look failed; empty if it didn't."""

    async def look_again(self, before: Standing) -> Standing:
        """Return how it stands now; *before*, if the engine doesn't say."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                seen = await self.look()
        except (RedisError, OSError):  # a TimeoutError is among the latter
            self.trouble = "the engine does not answer"
            return before
        self.trouble = ""
        return seen

    async def look(self) -> Standing:
        """Return how it stands. Raises RedisError."""
        lanes = await read_lanes(self._redis, self._lanes)
        filed, commits = (sum(getattr(each, name) for each in lanes) for name in _TOTALS)
        waiting, refused = await read_inbox(self._redis)
        asked = [read_deliver(self._http, url) for url in self._delivers]
        return Standing(
            at=now(),
            place=place(self._redis),
            engine=await read_engine(self._redis),
            lanes=lanes,
            newest=await read_newest(self._redis, self._lanes),
            holding=together(await read_holding(self._redis, self._lanes)),
            waiting=waiting,
            refused=refused,
            delivers=await asyncio.gather(*asked),
            subscribers=await read_subscribers(self._redis),
            punctual=await read_punctual(self._redis, self._lanes, LATE_NAMED),
            quarantined=await read_quarantined(self._redis, self._lanes),
            rates=self._pace.at(monotonic(), filed, commits),
        )


_TOTALS = ("filed", "commits")
