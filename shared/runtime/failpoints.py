"""Places where a process dies if it is told to: crashes that no kill from outside would hit.

For tests. `WRITETHRU_FAIL=render.before_commit:0.005` ends a renderer, as `kill -9` would, each
two-hundredth time it is about to commit. Nothing is armed unless the setting is there, and then
passing a place costs one look at an empty table.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Mapping

import structlog

#: Every place, and what has and has not happened there.
POINTS: Mapping[str, str] = {
    "ingest.before_append": "a step of events is judged, and not yet sent to the engine",
    "ingest.after_append": "a step of events is stored, and nobody has been told",
    "ingest.after_release": "what was due is released, and nobody has been told",
    "ingest.before_settle": "entries of the inbox are stored, and still in the inbox",
    "ingest.after_tick": "a source's tick is taken, and it is not pulled",
    "ingest.before_tick_done": "a source was pulled and has filed, and its next tick is not set",
    "render.after_read": "wake-ups are taken, and nothing of them is rendered",
    "render.before_commit": "bytes have gone ahead, and are not current",
    "render.after_commit": "a version is current, and the renderer has not heard of it",
    "deliver.after_webhook": "a subscriber has taken a message, and that is not noted",
    "deliver.after_read": "changes are read from the outbox, and no reader has been told",
}

_armed: dict[str, float] = {}


def parse_points(text: str) -> dict[str, float]:
    """Read `place:probability,place:probability`.

    Raises:
        ValueError: a place that there is not, or a probability that can't be.
    """
    points: dict[str, float] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, chance = item.partition(":")
        if name not in POINTS:
            raise ValueError(f"{name} is no place to fail; these are: {', '.join(POINTS)}")
        try:
            points[name] = float(chance)
        except ValueError:
            points[name] = -1.0
        if not 0 < points[name] <= 1:
            raise ValueError(f"{item}: write a probability above 0, up to 1, as {name}:0.01")
    return points


def arm(points: Mapping[str, float]) -> None:
    """Make this process die at *points* from now on, and say so in its log."""
    _armed.clear()
    _armed.update(points)
    if points:
        structlog.get_logger().warning(
            "failpoints.armed", remedy="unset WRITETHRU_FAIL, which is for tests", **points
        )


def failpoint(name: str) -> None:
    """End this process here, as a crash would, if that is armed and chance will have it."""
    if _armed and random.random() < _armed.get(name, 0.0):  # noqa: S311 -- hides nothing
        structlog.get_logger().critical("failpoint.reached", point=name)
        os.kill(os.getpid(), signal.SIGKILL)
