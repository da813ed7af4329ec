"""Events that are held: until when, by whose word, and in what form they are kept. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any

import orjson

from shared.contract.events import Event

#: What stops an event in which desk checks found something that an editor has to see.
CHECK = "check"
#: Tells append.lua that nothing of an event is to be stored for what checks found in it.
REFUSE = "refuse"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Held:
    """An event that has no seq yet, as filing.lua keeps it.

    *due* is the end of its own embargo in the engine's milliseconds, 0 without one. *stop* is what
    only an editor lifts: `check`, or the code of the problem that it had when it was due. *at* is
    when it will be released, infinite if nobody can say; *behind* is the id of what it builds on.
    """

    event_id: str
    source: str
    article: str
    order: int
    due: int
    stop: str
    act: str
    update_id: str
    recorded: int
    findings: Sequence[Mapping[str, Any]]
    event: Mapping[str, Any]
    at: float = inf
    behind: str | None = None

    @property
    def name(self) -> str:
        """What the engine knows it by."""
        return f"{self.event_id} {self.source}"


def due_ms(event: Event) -> int:
    """Return the end of the embargo in milliseconds since 1970, never early; 0 without one."""
    until = event.embargo_until
    return 0 if until is None else max(0, -((_EPOCH - until) // (1_000 * _MICROSECOND)))


def read_holds(slug: str, records: Mapping[bytes, bytes]) -> list[Held]:
    """Return what is held of *slug*, in the order of filing; *records* are by name.

    Raises:
        ValueError: one of them can't be read.
    """
    held = [_read(slug, name.decode(), record) for name, record in records.items()]
    return list(_scheduled(sorted(held, key=lambda each: each.order)))


def _read(slug: str, name: str, record: bytes) -> Held:
    event_id, _, source = name.partition(" ")
    try:
        facts = orjson.loads(record)
        return Held(
            event_id, source, slug, facts["order"], facts["due"], facts["stop"], facts["act"],
            facts["update"], facts["recorded"], facts["findings"], facts["event"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"the held event {name} of {slug} can't be read") from None


def _scheduled(holds: Iterable[Held]) -> Iterable[Held]:
    """Say when each may be released: not before what it builds on, which was filed earlier."""
    opening: Held | None = None
    posts: dict[str, Held] = {}
    for held in holds:
        below = [each for each in (opening, posts.get(held.update_id)) if each is not None]
        own = inf if held.stop else held.due
        found = replace(
            held,
            at=max([own, *(each.at for each in below)]),
            behind=below[-1].event_id if below else None,
        )
        if held.act == "article.published":
            opening = found
        elif held.act == "update.posted":
            posts[held.update_id] = found
        yield found
