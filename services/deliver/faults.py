"""Faults of our own in the log: what and where, but not their words, which could be copy."""

from __future__ import annotations

import traceback
from pathlib import PurePath


def described(error: BaseException) -> dict[str, str]:
    """Return the kind of *error* and the places in the code that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    places = (f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in frames[-6:])
    return {"error": type(error).__name__, "at": " > ".join(places)}
