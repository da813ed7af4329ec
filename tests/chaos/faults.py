"""Carrying faults out on a running stack, one after the other."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import redis

from shared.runtime.keys import LANES, RENDER_GROUP, Lane
from tests.chaos.plan import Fault
from tests.stack import ENGINE, Stack
from tests.waiting import until_sync

#: How long a service may be away before somebody has to be asked why.
AWAY_SECONDS = 180.0

PLACES = {
    "render": "services.render",
    "ingest": "services.ingest",
    "deliver": "services.deliver",
    "engine": ENGINE,
}


class Attacker:
    """Does to *stack* what a plan says. *done* counts it, *kills* says when engines were killed."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.done: Counter[str] = Counter()
        self.at: list[tuple[float, str]] = []

    def attack(
        self,
        faults: Iterable[Fault],
        going_on: Callable[[], bool],
        is_due: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """Carry out *faults* as long as *going_on*; *is_due* says whether so many may have been."""
        for number, fault in enumerate(faults):
            until = time.monotonic() + fault.pause
            while going_on() and (time.monotonic() < until or not is_due(number)):
                time.sleep(0.05)
            if not going_on():
                return
            self._carry_out(fault)

    def _carry_out(self, fault: Fault) -> None:
        act, _, what = fault.kind.partition(" ")
        if act == "kill":
            self._kill(self._victim(what, fault.chance))
        elif act == "freeze":
            self._freeze(self._victim(what, fault.chance), fault.span)
        elif not self._at_engine(fault):
            return
        self.done[fault.kind] += 1
        self.at.append((time.monotonic(), fault.kind))

    def _victim(self, what: str, chance: float) -> int:
        found = until_sync(lambda: sorted(self.stack.processes(PLACES[what])), AWAY_SECONDS)
        return found[int(chance * len(found))]

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until_sync(lambda: pid not in self.stack.processes())

    def _freeze(self, pid: int, seconds: float) -> None:
        with suppress(ProcessLookupError):  # a place to fail may be quicker
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    def _at_engine(self, fault: Fault) -> bool:
        """Return whether it could be done: the engine may be on its way back."""
        client = redis.Redis.from_url(self.stack.redis_url, protocol=2, socket_timeout=2.0)
        try:
            tags: Any = client.lrange(LANES, 0, -1)
            lanes = [Lane(tag.decode()) for tag in tags]
            _AT_ENGINE[fault.kind](client, lanes, fault.chance)
        except redis.RedisError:
            return False
        finally:
            client.close()
        return True


def _trim_wakeups(client: redis.Redis, lanes: list[Lane], chance: float) -> None:
    for lane in lanes:
        client.xtrim(lane.events, maxlen=0, approximate=False)


def _trim_outboxes(client: redis.Redis, lanes: list[Lane], chance: float) -> None:
    client.xtrim(lanes[int(chance * len(lanes))].changes, maxlen=0, approximate=False)


def _delete_groups(client: redis.Redis, lanes: list[Lane], chance: float) -> None:
    first = int(chance * len(lanes))
    for lane in (lanes + lanes)[first : first + 3]:
        client.xgroup_destroy(lane.events, RENDER_GROUP)


def _delete_consumers(client: redis.Redis, lanes: list[Lane], chance: float) -> None:
    """Take what was read and not acked from whoever has it, in the first half of the lanes.

    An entry that went so looks acked; in the other half, acks can be looked at.
    """
    for lane in spoiled(lanes):
        consumers: Any = client.xinfo_consumers(lane.events, RENDER_GROUP)
        for each in consumers:
            client.xgroup_delconsumer(lane.events, RENDER_GROUP, each["name"])


def _forget_scripts(client: redis.Redis, lanes: list[Lane], chance: float) -> None:
    client.script_flush()


def spoiled(lanes: list[Lane]) -> list[Lane]:
    """Return the lanes in which consumers are deleted."""
    return lanes[: len(lanes) // 2]


_AT_ENGINE: dict[str, Callable[[redis.Redis, list[Lane], float], None]] = {
    "trim wake-ups": _trim_wakeups,
    "trim outboxes": _trim_outboxes,
    "delete groups": _delete_groups,
    "delete consumers": _delete_consumers,
    "forget scripts": _forget_scripts,
}
