"""What webhooks cost where nobody has subscribed: nothing, however much changes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.deliver.webhooks.announcing import Announcing

TURNS = 200


class Hub:
    """Hears of a change whenever it is asked."""

    def __init__(self) -> None:
        self.places: dict[str, Any] = {}

    async def moved(self) -> None:
        await asyncio.sleep(0)


class Registry:
    """Counts how often it was read again."""

    def __init__(self, subscribed: dict[str, Any]) -> None:
        self.subscribed = subscribed
        self.read = 0

    async def refresh(self) -> None:
        self.read += 1


async def asked_while_much_changes(*, subscribed: dict[str, Any], held: bool) -> int:
    registry, parts = Registry(subscribed), SimpleNamespace()
    lease = SimpleNamespace(held=held)
    announcing = Announcing(parts, parts, Hub(), registry, lease, parts)  # type: ignore[arg-type]
    announcing._turn = nothing_more  # type: ignore[method-assign]
    task = asyncio.create_task(announcing.run())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return registry.read


async def nothing_more() -> bool:
    return False


@pytest.mark.parametrize(
    ("subscribed", "held"), [({}, True), ({"one": object()}, False)], ids=["nobody", "not our turn"]
)
async def test_changes_ask_nothing_of_the_engine_where_there_is_nothing_to_tell(subscribed, held):
    # given nobody who subscribed, or another process whose turn it is
    # when one change after another is heard of
    # then the engine is not asked for each who has subscribed
    assert await asked_while_much_changes(subscribed=subscribed, held=held) == 0


async def test_changes_are_told_at_once_where_somebody_has_subscribed():
    # given a subscription, and our turn to tell
    # when one change after another is heard of
    # then each is looked at
    assert await asked_while_much_changes(subscribed={"one": object()}, held=True) > TURNS // 10
