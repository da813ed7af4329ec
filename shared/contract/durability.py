"""The levels of durability: what an event survives that was accepted at one. Pure.

Each keeps more than the one before it: nothing but the engine's memory; the primary's disk; a
replica's memory, too; a replica's disk, too.
"""

from __future__ import annotations

from typing import Literal, get_args

from shared.contract.errors import Refused

Durability = Literal["memory", "fsync", "replica", "replica-fsync"]
DURABILITIES: tuple[Durability, ...] = get_args(Durability)

#: The request's header that asks for a level.
HEADER = "Writethru-Durability"


def strictest(*levels: Durability | None) -> Durability | None:
    """Return the one that keeps most; None if none is named."""
    named = [level for level in levels if level]
    return max(named, key=DURABILITIES.index, default=None)


def parse_durability(text: str) -> Durability:
    """Return the level that *text* names; raises ValueError with the remedy."""
    for level in DURABILITIES:
        if level == text:
            return level
    known = f"{', '.join(DURABILITIES[:-1])} or {DURABILITIES[-1]}"
    raise ValueError(f"{text[:40]!r} is no level of durability; name {known}")


def asked_by(headers: list[str]) -> Durability | None:
    """Return the level that a request asks for; raises Refused as `malformed`."""
    if not headers:
        return None
    try:
        [text] = headers
        return parse_durability(text.strip().lower())
    except ValueError as error:
        why = error if len(headers) == 1 else "a request asks for one level, once"
        raise Refused("malformed", f"{HEADER}: {why}, or leave the header out.") from None
