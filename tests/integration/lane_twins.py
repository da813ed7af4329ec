"""A lane in the engine, and the simulator's model of it, taken through the same steps.

One article, and two renderers that stop before each commit, so that anything may come between what
they have read and what they want to make current. What of a lane can be compared is named the
same on both sides by `Engine.stand` and `Model.stand`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import orjson

from services.ingest.append import Appender
from services.ingest.core.holding import read_holds
from services.ingest.desk import Desk
from services.render import destroy
from services.render.consume import make_group
from services.render.destroy import Destroyer
from services.render.store import Store
from shared.contract.events import parse_event
from shared.contract.receipts import Receipt
from shared.runtime.installation import Installation
from shared.runtime.keys import REDACTING, RENDER_GROUP
from shared.runtime.lease import Lease
from tests import builders
from tests.builders import SLUG
from tests.simulation import redacting
from tests.simulation.article import Event
from tests.simulation.keys import Keys, Plan, Wakeup
from tests.simulation.model import Lane
from tests.simulation.redacting import NO_MASKS
from tests.simulation.renderer import Renderer
from tests.simulation.steps import Dice, Steps

WAKEUPS_A_READ = 4
#: Of the model's times: the end of an embargo that is not reached here.
FAR, EMBARGO = 10, "2099-01-01T00:00:00Z"
BEFORE_COMMIT = ("is about to commit",)


class Stopping(Store):
    """A renderer that waits before each commit until it is told to go on."""

    def __init__(self, redis: Any, installation: Installation) -> None:
        super().__init__(redis, installation.lanes)
        self._stopped, self._go = asyncio.Event(), asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def _run_commit(self, *words: Any) -> Any:
        self._stopped.set()
        await self._go.wait()
        self._go.clear()
        return await super()._run_commit(*words)

    async def begin(self, wakeups: Sequence[tuple[str, int]]) -> None:
        self.task = asyncio.create_task(self.render(SLUG, wakeups))
        await self._run_on()

    async def go_on(self) -> None:
        self._stopped.clear()
        self._go.set()
        await self._run_on()

    async def die(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def _run_on(self) -> None:
        """Let it run until it is about to commit, or is done."""
        assert self.task is not None
        stopped = asyncio.create_task(self._stopped.wait())
        await asyncio.wait({self.task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self.task.done():
            self._stopped.clear()
            self._go.clear()
            self.task.result()
            self.task = None


class Engine:
    """The article in the engine, and who works on it."""

    def __init__(self, redis: Any, installation: Installation) -> None:
        self.redis, self._installation = redis, installation
        self._appender = Appender(redis, installation, "fsync")
        self.desk = Desk(redis, installation.lanes)
        self._lane = installation.lanes.of(SLUG)
        self._keys = self._lane.article(SLUG)
        self._destroyer = Destroyer(redis, installation.lanes, Lease(redis, REDACTING, "one"))
        self._replica: dict[bytes, bytes] = {}
        self.renderers = {name: self.new_renderer() for name in "ab"}

    def new_renderer(self) -> Stopping:
        return Stopping(self.redis, self._installation)

    async def file(self, event: Event) -> Receipt:
        [receipt] = await self._appender.append([parse_event(envelope(event))])
        return receipt

    async def read(self, name: str) -> list[tuple[str, int]]:
        """Read wake-ups as renderer *name*."""
        await make_group(self.redis, self._lane)
        answer = await self.redis.xreadgroup(
            RENDER_GROUP, name, {self._lane.events: ">"}, WAKEUPS_A_READ
        )
        return [_wakeup(entry) for _, entries in answer for entry in entries]

    async def stranded(self) -> list[tuple[str, int]]:
        """Return the wake-ups that were read and not acknowledged, as far as they are there."""
        await make_group(self.redis, self._lane)
        pending = await self.redis.xpending_range(self._lane.events, RENDER_GROUP, "-", "+", 1_000)
        ids = [each["message_id"] for each in pending]
        found = [await self.redis.xrange(self._lane.events, id_, id_) for id_ in ids]
        return [_wakeup(entry) for entries in found for entry in entries]

    async def destroy(self) -> None:
        """Do what redactions have left to do, but for the engine's file."""
        with patch.object(destroy, "rewrite_files", lambda _redis: asyncio.sleep(0, "off")):
            await self._destroyer.destroy()

    async def lose_group(self) -> None:
        if await self.redis.exists(self._lane.events):
            await self.redis.xgroup_destroy(self._lane.events, RENDER_GROUP)

    async def trim(self, stream: str) -> None:
        await self.redis.xtrim(getattr(self._lane, stream), maxlen=0, approximate=False)

    async def replicate(self) -> None:
        """Keep what there is now, as a replica that hears of nothing more."""
        self._replica = {key: await self.redis.dump(key) async for key in self.redis.scan_iter()}

    async def take_over(self) -> None:
        """Go on with what the replica has."""
        await self.redis.flushall()
        for key, dump in self._replica.items():
            await self.redis.restore(key, 0, dump)

    async def stand(self) -> dict[str, Any]:
        """Return all that is compared."""
        redis, keys, lane = self.redis, self._keys, self._lane
        records = [orjson.loads(each) for each in await redis.lrange(keys.ledger, 0, -1)]
        status, seq, version, chain = await redis.hmget(
            keys.article, "status", "seq", "version", "version_chain"
        )
        version = int(version or 0)
        names = await redis.hgetall(keys.updates)
        pages = await redis.hgetall(keys.pages)
        body = await redis.hget(keys.state, "body")
        holds = read_holds(SLUG, await redis.hgetall(keys.holds))
        changes = [fields for _, fields in await redis.xrange(lane.changes)]
        groups = await redis.xinfo_groups(lane.events) if await redis.exists(lane.events) else []
        return {
            "ledger": [(each["event"]["id"], "redacted" in each) for each in records],
            "seq": int(seq or 0),
            "status": status and status.decode(),
            "posted": _words(await redis.hgetall(keys.posted)),
            "holds": [(each.event_id, each.stop) for each in holds],
            "version": version,
            "of its ledger": bool(version)
            and version <= len(records)
            and records[version - 1]["chain"] == chain.decode(),
            "body": body and _named(body),
            "updates": {_text(k): _named(v) for k, v in names.items() if b"@" not in k},
            "bytes": Counter(_named(name) for name in names if b"@" in name),
            "pages": [
                _named(ref) for page in sorted(pages, key=int) for ref in pages[page].split()
            ],
            "dirty": await redis.zscore(lane.dirty, SLUG) is not None,
            "held": await redis.zscore(lane.held, SLUG) is not None,
            "changes": [(int(each[b"from"]), int(each[b"to"])) for each in changes],
            "events": [int(each[b"seq"]) for _, each in await redis.xrange(lane.events)],
            "pending": sum(each["pending"] for each in groups),
            "notes": await redis.scard(lane.redactions),
        }


class Model:
    """The article in the simulator's model, and who works on it."""

    def __init__(self) -> None:
        self.lane = Lane([SLUG])
        self.lane.time = 1
        self._dice = Dice(0)
        self._dice.calm = True
        self._replica = self.lane.copy()
        self.renderers = {name: self.new_renderer(name) for name in "ab"}
        self.tasks: dict[str, Steps[None]] = {}

    def new_renderer(self, name: str) -> Renderer:
        return _StoppingModel(name, self.lane, self._dice)

    @property
    def keys(self) -> Keys:
        return self.lane.articles[SLUG]

    def file(self, event: Event) -> Any:
        masks = self.lane.read_masks(event, NO_MASKS) if event.act == "redacted" else NO_MASKS
        return self.lane.append(event, masks)

    def read(self, name: str) -> list[Wakeup]:
        self.lane.create_group()
        return self.lane.read_group(name, WAKEUPS_A_READ)

    def stranded(self) -> list[Wakeup]:
        self.lane.create_group()
        return self.lane.read_events(self.lane.pending())

    def begin(self, name: str, wakeups: Sequence[Wakeup]) -> None:
        self.tasks[name] = self.renderers[name].render(SLUG, tuple(wakeups))
        self.go_on(name)

    def go_on(self, name: str) -> None:
        if BEFORE_COMMIT not in self.tasks[name]:
            del self.tasks[name]

    def die(self, name: str) -> None:
        self.tasks.pop(name, None)
        self.renderers[name] = self.new_renderer(name)

    def destroy(self) -> None:
        destroyer = redacting.Destroyer("d", self.lane, self._dice)
        for note in self.lane.notes():
            for _ in destroyer.carry_out(note):
                pass

    def replicate(self) -> None:
        self._replica = self.lane.copy()

    def take_over(self) -> None:
        self.lane.take_over(self._replica)

    def stand(self) -> dict[str, Any]:
        keys, lane = self.keys, self.lane
        version = keys.version
        return {
            "ledger": [(each.event.id, redacting.is_masked(each)) for each in keys.ledger],
            "seq": keys.seq,
            "status": keys.status,
            "posted": keys.posted,
            "holds": [(each.event.id, each.stop) for each in keys.holds.values()],
            "version": version,
            "of its ledger": bool(version)
            and version <= len(keys.ledger)
            and keys.ledger[version - 1].chain == keys.version_chain,
            "body": keys.head.body and _named(keys.head.body.encode()),
            "updates": {name: _named(ref.encode()) for name, ref in keys.pointers.items()},
            "bytes": Counter(_named(ref.encode()) for ref in keys.parts),
            "pages": [_named(ref.encode()) for n in sorted(keys.pages) for ref in keys.pages[n]],
            "dirty": SLUG in lane.dirty,
            "held": SLUG in lane.held,
            "changes": [(change.start, change.end) for change in lane.changes],
            "events": [wakeup.seq for wakeup in lane.events],
            "pending": len(lane.group.pending) if lane.group else 0,
            "notes": len(lane.redactions),
        }


class _StoppingModel(Renderer):
    def commit(self, slug: str, plan: Plan) -> Steps[str]:
        yield BEFORE_COMMIT
        return (yield from super().commit(slug, plan))


def envelope(event: Event) -> builders.Envelope:
    """Return *event* of the model as one that can be filed."""
    facts: dict[str, Any] = {"id": event.id} | ({"embargo_until": EMBARGO} if event.due else {})
    match event.act:
        case "posted" | "corrected":
            facts["text"] = event.text
        case "writethru":
            facts["body"] = event.text
    build = getattr(builders, event.act)
    envelope: builders.Envelope = build(event.update, **facts) if event.update else build(**facts)
    return envelope


def _wakeup(entry: Any) -> tuple[str, int]:
    entry_id, fields = entry
    return entry_id.decode(), int(fields[b"seq"])


def _named(ref: bytes) -> str:
    """Return a ref as far as it says the same on both sides: its chain does not."""
    name, _, rest = ref.decode().partition("@")
    return f"{name}@{rest.partition('.')[0]}"


def _words(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}


def _text(word: bytes) -> str:
    return word.decode()
