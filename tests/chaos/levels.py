"""What each level of durability loses: events are filed as fast as they go, and an engine dies.

Events go the way of ingest's own (`Appender`), many at a time, each level in three disasters:

* restart: the engine is killed, and started again on its data;
* takeover: a primary is lost for good while its replica is cut off, and that one takes over;
* both: likewise, and the replica is killed as well, and started again on its data.

Then all is rendered and verified: what is lost may be an end, never a piece.
"""

from __future__ import annotations

import asyncio
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from services.ingest.append import Appender
from services.render.store import Store
from services.render.verify import every_article, verify
from services.render.verify_lanes import verify_lane
from shared.contract.durability import Durability
from shared.contract.events import parse_event
from shared.runtime.durability import Wait, levels_of
from shared.runtime.engine import SETTINGS
from shared.runtime.installation import Installation, open_installation
from shared.runtime.redis import connect
from tests.builders import posted, published
from tests.nodes import Node, Pair, pair, running_nodes
from tests.stack import free_ports
from tests.waiting import until_sync

Disaster = Literal["restart", "takeover", "both"]

#: Every level in the disasters that tell it from others.
CASES: tuple[tuple[Disaster, Durability], ...] = (
    ("restart", "memory"),
    ("restart", "fsync"),
    ("takeover", "memory"),
    ("takeover", "fsync"),
    ("takeover", "replica"),
    ("takeover", "replica-fsync"),
    ("both", "replica"),
    ("both", "replica-fsync"),
)
DESKS = 30
LOAD_SECONDS = 0.8, 1.6
FROZEN_SECONDS = 0.05, 0.5
LANES = 4

Ack = tuple[str, str, int, str]


@dataclass
class Loss:
    """What came of one case."""

    disaster: Disaster
    level: Durability
    rounds: int = 0
    acked: int = 0
    lost: int = 0
    broken: int = 0


def measure(cases: Iterable[tuple[Disaster, Durability]], rounds: int, seed: int) -> Iterator[Loss]:
    """Yield the loss of each case after every round of it."""
    for disaster, level in cases:
        loss = Loss(disaster, level)
        chances = random.Random(f"{seed} {disaster} {level}")
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="levels-") as folder:
                asyncio.run(_round(loss, chances, Path(folder)))
            yield loss


def words(level: Durability) -> Sequence[str]:
    """Return the engine's settings: where the level asks for no disk, it has its time."""
    changed = list(SETTINGS)
    if level == "memory":
        changed[changed.index("always")] = "everysec"
    return changed


@contextmanager
def _engines(disaster: Disaster, folder: Path, settings: Sequence[str]) -> Iterator[Pair]:
    """Start what the disaster takes; a restart takes one server."""
    if disaster != "restart":
        with pair(folder, settings) as made:
            yield made
        return
    [port] = free_ports(1)
    one = Node(folder, port, ("--port", str(port), *settings))
    with running_nodes([one]):
        yield Pair(one, one)


async def _round(loss: Loss, chances: random.Random, folder: Path) -> None:
    with _engines(loss.disaster, folder, words(loss.level)) as nodes:
        acked = await _filed(nodes, loss, chances)
        survivor = _survivor(nodes, loss.disaster)
        loss.rounds += 1
        loss.acked += len(acked)
        async with _at(survivor) as (redis, here):
            loss.lost += await _lost(redis, here, acked)
            loss.broken += await _broken(redis, here)


async def _filed(nodes: Pair, loss: Loss, chances: random.Random) -> list[Ack]:
    """File until the engine is killed, and return what was acknowledged at the level."""
    acked: list[Ack] = []
    async with _at(nodes.primary) as (redis, here):
        levels = await levels_of(redis, "memory" if loss.level == "memory" else "fsync")
        appender, wait = Appender(redis, here, levels.kept), levels.wait(loss.level)
        filing = [
            asyncio.create_task(_file(appender, wait, f"story-{number}", acked))
            for number in range(DESKS)
        ]
        await asyncio.sleep(chances.uniform(*LOAD_SECONDS))
        if loss.disaster != "restart":
            nodes.replica.signal(signal.SIGSTOP)
            # It hangs, and what is on its way to it goes no further.
            nodes.primary.ask("CLIENT", "KILL", "TYPE", "replica")
            await asyncio.sleep(chances.uniform(*FROZEN_SECONDS))
        nodes.primary.kill()
        for task in filing:
            task.cancel()
        await asyncio.gather(*filing, return_exceptions=True)
    return acked


async def _file(appender: Appender, wait: Wait | None, slug: str, acked: list[Ack]) -> None:
    event, number = published(slug=slug), 0
    while True:
        [receipt] = await appender.append([parse_event(event)], wait=wait)
        if receipt.status != "accepted" or not receipt.seq or not receipt.chain:
            return
        acked.append((slug, str(receipt.id), receipt.seq, receipt.chain))
        number += 1
        event = posted(f"u{number}", slug=slug)


def _survivor(nodes: Pair, disaster: Disaster) -> Node:
    """Carry the disaster to its end, and return the server that goes on."""
    if disaster == "restart":
        nodes.primary.start()
        return nodes.primary
    if disaster == "both":
        nodes.replica.kill()
        nodes.replica.start()
    nodes.replica.signal(signal.SIGCONT)
    until_sync(nodes.replica.answers)
    nodes.replica.ask("REPLICAOF", "NO", "ONE")
    return nodes.replica


@asynccontextmanager
async def _at(node: Node) -> AsyncIterator[tuple[Any, Installation]]:
    async with connect(f"redis://127.0.0.1:{node.port}/0") as redis:
        yield redis, await open_installation(redis, LANES)


async def _lost(redis: Any, here: Installation, acked: Sequence[Ack]) -> int:
    found: dict[str, list[dict[str, Any]]] = {}
    for slug in {slug for slug, *_ in acked}:
        records = await redis.lrange(here.lanes.of(slug).article(slug).ledger, 0, -1)
        found[slug] = [orjson.loads(record) for record in records]
    return sum(
        seq > len(found[slug])
        or (found[slug][seq - 1]["event"]["id"], found[slug][seq - 1]["chain"]) != (name, chain)
        for slug, name, seq, chain in acked
    )


async def _broken(redis: Any, here: Installation) -> int:
    """Render what is there, and return how much of it is not as its ledger gives it."""
    store, broken = Store(redis, here.lanes), 0
    slugs = {slug async for slug in every_article(redis, here.lanes)}
    for slug in slugs:
        await store.render(slug)
        broken += len((await verify(redis, here.lanes, here.key, slug)).differences)
    for lane in here.lanes:
        its = [slug for slug in slugs if here.lanes.of(slug) == lane]
        broken += len(await verify_lane(redis, lane, its))
    return broken


DISASTERS = {
    "restart": "the engine is killed, and starts again on its data",
    "takeover": "the primary is lost for good, and a replica that was cut off takes over",
    "both": "the primary is lost for good, the replica killed, started again, and takes over",
}


def keeps(loss: Loss) -> bool:
    """Whether the case came out as is promised: `memory` may lose, and `fsync` with its machine."""
    survives = loss.disaster == "restart" if loss.level == "fsync" else loss.level != "memory"
    if loss.disaster == "both":
        survives = loss.level == "replica-fsync"
    return not loss.broken and (not loss.lost or not survives)


def table(losses: Iterable[Loss]) -> list[str]:
    """Return the losses as a table in Markdown."""
    rows = [
        f"| {DISASTERS[each.disaster]} | `{each.level}` | {each.rounds} | {each.acked:,} "
        f"| {each.lost:,} | {each.broken:,} |"
        for each in losses
    ]
    head = "| disaster | level | rounds | acknowledged | of those lost | differences |"
    return [head, "|---|---|---:|---:|---:|---:|", *rows]
