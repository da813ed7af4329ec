"""The scripts and the simulator's model of them are of one mind about held events.

What the simulator proves of its model is worth as much as the model is like the scripts. So
histories of filing, releasing and spiking are played to both, and both must answer the same.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.ingest.append import Appender
from services.ingest.core.holding import read_holds
from services.ingest.desk import Desk
from shared.contract.events import parse_event
from shared.runtime.engine import Engine
from shared.runtime.installation import open_installation
from shared.runtime.redis import connect
from tests import builders
from tests.builders import SLUG, SOURCE
from tests.simulation.article import Event
from tests.simulation.model import Lane

#: Ends of embargoes, by the model's time.
EMBARGOES = {0: None, 10: "2099-01-01T00:00:00Z", 20: "2099-01-02T00:00:00Z"}
ACTS = (
    *("published",) * 2, *("posted",) * 5, *("corrected",) * 3, *("retracted",) * 2,
    *("writethru",) * 2, "closed", "reopened", "killed",
)  # fmt: skip


class Step(NamedTuple):
    """An *act* to file, or a word on the held event that is *number* in line."""

    act: str
    update: str
    due: int
    number: int


STEPS = st.builds(
    Step,
    st.sampled_from((*ACTS, *("release",) * 4, "spike")),
    st.sampled_from(("u1", "u2")),
    st.sampled_from(tuple(EMBARGOES)),
    st.integers(0, 3),
)


class Twins:
    """One article in the engine, and in the model."""

    def __init__(self, redis: Any, installation: Any) -> None:
        self._redis = redis
        self._appender = Appender(redis, installation, "fsync")
        self._desk = Desk(redis, installation.lanes)
        self._keys = installation.lanes.of(SLUG).article(SLUG)
        self._model = Lane([SLUG])
        self._model.time = 1
        self._filed = 0

    async def take(self, step: Step) -> tuple[object, object]:
        """Do one step to both, and return what each said."""
        if step.act in ("release", "spike"):
            return await self._decide(step)
        self._filed += 1
        name = f"e{self._filed}"
        due = step.due if step.act in ("published", "posted", "writethru") else 0
        receipt = self._model.append(
            Event(SLUG, SOURCE, name, step.act, _update(step), "1", due=due)
        )
        [real] = await self._appender.append([parse_event(_envelope(step, name, due))])
        code = real.problem["code"] if real.problem else ""
        return (real.status, code, real.seq or 0), (receipt.status, receipt.code, receipt.seq)

    async def _decide(self, step: Step) -> tuple[object, object]:
        held = await self._desk.held()
        if not held:
            return None, None
        chosen = held[step.number % len(held)]
        key = (chosen.source, chosen.event_id)
        if step.act == "spike":
            gone = [name.split()[0] for name in await self._desk.spike(chosen)]
            return gone, [event.id for event in self._model.spike(SLUG, key)]
        outcomes = await self._desk.release(chosen)
        released = [each.name.split()[0] for each in outcomes if each.result == "released"]
        return released, [event.id for event in self._model.release(SLUG, key)]

    async def stand(self) -> tuple[object, object]:
        """Return all that each has."""
        records: Any = await self._redis.lrange(self._keys.ledger, 0, -1)
        holds: Any = await self._redis.hgetall(self._keys.holds)
        posted: Any = await self._redis.hgetall(self._keys.posted)
        status: Any = await self._redis.hget(self._keys.article, "status")
        score = await self._redis.zscore(self._keys.lane.held, SLUG)
        real = (
            [orjson.loads(record)["event"]["id"] for record in records],
            [(each.event_id, each.stop) for each in read_holds(SLUG, holds)],
            {name.decode(): state.decode() for name, state in posted.items()},
            status and status.decode(),
            score is not None,
        )
        model = self._model.articles[SLUG]
        return real, (
            [entry.event.id for entry in model.ledger],
            [(hold.event.id, hold.stop) for hold in model.holds.values()],
            model.posted,
            model.status,
            SLUG in self._model.held,
        )


def _update(step: Step) -> str:
    return step.update if step.act in ("posted", "corrected", "retracted") else ""


def _envelope(step: Step, name: str, due: int) -> builders.Envelope:
    facts: dict[str, Any] = {"id": name} | ({"embargo_until": EMBARGOES[due]} if due else {})
    if step.act == "writethru":
        return builders.writethru(body="1", **facts)
    build = getattr(builders, step.act)
    envelope: builders.Envelope = build(_update(step), **facts) if _update(step) else build(**facts)
    return envelope


# A history that fails is not made shorter: that takes longer than reading it.
@settings(
    max_examples=60,
    phases=[Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=15, max_size=40))
def test_scripts_and_model_answer_alike(engine: Engine, steps: list[Step]) -> None:
    async def play() -> None:
        async with connect(engine.url) as redis:
            await redis.flushall()
            twins = Twins(redis, await open_installation(redis, 1))
            for done, step in enumerate(steps, 1):
                real, model = await twins.take(step)
                assert real == model, steps[:done]
                real, model = await twins.stand()
                assert real == model, steps[:done]

    asyncio.run(play())
