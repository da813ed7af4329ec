"""Waiting for a condition instead of sleeping: a test is as quick as what it waits for."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

_PAUSE_SECONDS = 0.01
#: No test is about how long something takes; a busy machine may need this to start a process.
_LIMIT_SECONDS = 30.0


@overload
async def until(condition: Callable[[], Awaitable[T]], limit: float = _LIMIT_SECONDS) -> T: ...


@overload
async def until(condition: Callable[[], T], limit: float = _LIMIT_SECONDS) -> T: ...


async def until(condition: Callable[[], object], limit: float = _LIMIT_SECONDS) -> object:
    """Return the first true result of *condition*, plain or awaitable.

    Raises:
        AssertionError: there was none within *limit* seconds.
    """
    deadline = time.monotonic() + limit
    while True:
        answer = condition()
        result: object = await answer if inspect.isawaitable(answer) else answer
        if result:
            return result
        _still_within(deadline, limit, condition, result)
        await asyncio.sleep(_PAUSE_SECONDS)


def until_sync(condition: Callable[[], T], limit: float = _LIMIT_SECONDS) -> T:
    """Do the same where no loop runs."""
    deadline = time.monotonic() + limit
    while not (result := condition()):
        _still_within(deadline, limit, condition, result)
        time.sleep(_PAUSE_SECONDS)
    return result


def _still_within(deadline: float, limit: float, condition: object, last: object) -> None:
    if time.monotonic() > deadline:
        raise AssertionError(f"{condition!r} was still {last!r} after {limit:g} s")
