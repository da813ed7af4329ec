"""The simulator's model and the real scripts, step by step: what one does, the other does.

What the simulator proves of its model is worth as much as the model is like the scripts. Here
histories of filing, rendering, redacting, dying, losing streams and taking over are played to both,
and after each step both must hold the same. `TWINS=2000 TWIN_STEPS=50` plays as many, as long.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.runtime.engine import Engine as Server
from shared.runtime.installation import open_installation
from shared.runtime.redis import connect
from tests.builders import SLUG, SOURCE
from tests.integration.lane_twins import FAR, Engine, Model
from tests.simulation import renderer
from tests.simulation.article import Event

EXAMPLES, STEPS = int(os.environ.get("TWINS", "60")), int(os.environ.get("TWIN_STEPS", "40"))
ACTS = (
    *("posted",) * 6, *("corrected",) * 3, *("redacted",) * 2, *("retracted",) * 2,
    *("writethru",) * 2, "published", "closed", "reopened", "killed",
)  # fmt: skip
ABOUT_UPDATES = {"posted", "corrected", "retracted", "redacted"}
RENDERERS, UPDATES = st.sampled_from("ab"), st.sampled_from(("u1", "u2", "u3"))


class Twins(RuleBasedStateMachine):
    """The engine and the model."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._filed: list[Event] = []
        self._replicated = False

    def _run(self, work: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        async def open_() -> Engine:
            redis = connect(self.url)
            await redis.flushall()
            return Engine(redis, await open_installation(redis, 1))

        self.engine, self.model = self._run(open_()), Model()
        self._file(Event(SLUG, SOURCE, "e0", "published", text="0"))

    @rule(act=st.sampled_from(ACTS), update=UPDATES, due=st.sampled_from((0, 0, 0, FAR)))
    def file(self, act: str, update: str, due: int) -> None:
        about, may_wait = act in ABOUT_UPDATES, act in ("posted", "writethru")
        name = f"e{len(self._filed)}"
        its = update if about else ""
        self._file(Event(SLUG, SOURCE, name, act, its, f"word {name}", due=due * may_wait))

    @rule(number=st.integers(0, 30), word=st.sampled_from(("again", "release", "spike")))
    def decide(self, number: int, word: str) -> None:
        """Send an event again, or say a word on one that is held."""
        if word == "again":
            self._file(self._filed[number % len(self._filed)])
            return
        held = self._run(self.engine.desk.held())
        if not held:
            return
        chosen = held[number % len(held)]
        self._run(getattr(self.engine.desk, word)(chosen))
        getattr(self.model.lane, word)(SLUG, (chosen.source, chosen.event_id))
        self._compare()

    @rule(name=RENDERERS, how=st.sampled_from(("read", "read", "stranded", "sweep")))
    def render(self, name: str, how: str) -> None:
        """Begin to render, up to the commit; or go on, up to the next one."""
        if name in self.model.tasks:
            self._go_on(name)
            return
        real: Any = []
        modelled: Any = []
        if how == "read":
            real, modelled = self._run(self.engine.read(name)), self.model.read(name)
        elif how == "stranded":
            real, modelled = self._run(self.engine.stranded()), self.model.stranded()
        self._run(self.engine.renderers[name].begin(real))
        self.model.begin(name, modelled)
        self._compare()

    @precondition(lambda self: self.model.tasks)
    @rule(name=RENDERERS)
    def finish(self, name: str) -> None:
        while name in self.model.tasks:
            self._go_on(name)

    @rule(
        what=st.sampled_from(("die", "die", "destroy", "lose", "replicate", "take over")),
        name=RENDERERS,
        lost=st.sampled_from(("events", "changes", "group")),
    )
    def meet(self, what: str, name: str, lost: str) -> None:
        """Let something happen that is rarer than work."""
        match what:
            case "die":
                self._die(name)
            case "destroy":
                self._run(self.engine.destroy())
                self.model.destroy()
            case "lose":
                self._lose(lost)
            case "replicate":
                self._run(self.engine.replicate())
                self.model.replicate()
                self._replicated = True
            case _ if self._replicated:  # what was done since is lost, and everybody remembers it
                self._run(self.engine.take_over())
                self.model.take_over()
        self._compare()

    def _die(self, name: str) -> None:
        """End a renderer where it stands; another one begins with nothing at hand."""
        self._run(self.engine.renderers[name].die())
        self.engine.renderers[name] = self.engine.new_renderer()
        self.model.die(name)

    def _lose(self, what: str) -> None:
        """Trim a stream to nothing, or delete the group."""
        if what == "group":
            self._run(self.engine.lose_group())
            self.model.lane.lose_group()
        else:
            self._run(self.engine.trim(what))
            getattr(self.model.lane, f"trim_{what}")()

    def teardown(self) -> None:
        async def close() -> None:
            for each in self.engine.renderers.values():
                await each.die()
            await self.engine.redis.aclose()

        if hasattr(self, "engine"):
            self._run(close())
        self._loop.close()

    def _file(self, event: Event) -> None:
        real, modelled = self._run(self.engine.file(event)), self.model.file(event)
        if event not in self._filed:
            self._filed.append(event)
        code = real.problem["code"] if real.problem else ""
        assert (real.status, code, real.seq or 0) == (
            modelled.status,
            modelled.code,
            modelled.seq,
        )
        self._compare()

    def _go_on(self, name: str) -> None:
        self._run(self.engine.renderers[name].go_on())
        self.model.go_on(name)
        self._compare()

    def _compare(self) -> None:
        assert self._run(self.engine.stand()) == self.model.stand()
        for name, each in self.engine.renderers.items():
            assert (each.task is not None) == (name in self.model.tasks), name


# A history that fails is not made shorter: that takes longer than reading it.
def test_scripts_and_model_hold_the_same_after_every_step(
    engine: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "PAGE_SIZE", 50)
    monkeypatch.setattr(renderer, "ENTRIES_A_ROUND", 200)
    monkeypatch.setattr(Twins, "url", engine.url, raising=False)

    run_state_machine_as_test(
        Twins,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            phases=[Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
