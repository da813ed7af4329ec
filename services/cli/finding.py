"""A finding of `doctor`: one thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How *about* is, in *detail*, and what to do unless it is well."""

    level: Level
    about: str
    detail: str
    remedy: str = ""


def unseen(about: str, what: str, command: str, wanted: str = "right") -> Finding:
    """Return the finding where the engine does not let us look."""
    remedy = f"let writethru use {command}, or see for yourself that it is {wanted}"
    return Finding("warning", about, f"unverified: the engine does not tell {what}", remedy)


def size(number: float) -> str:
    """Return *number* of bytes as people say it."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
