"""What append keeps beside a ledger, made anew from the ledger alone: append.lua's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.ingest.core.legality import STATUS_AFTER, UPDATE_AFTER
from shared.article.history import checked
from shared.article.stored import Link
from shared.article.visible import update_of
from shared.contract import acts

_WIRE = {act: wire for wire, act in acts.ACTS.items()}
_STATUS = {_WIRE[act]: status for act, status in STATUS_AFTER.items()}
#: The acts that set levels of checks.
_SETTING = (acts.Published.wire, acts.Writethru.wire)
_UPDATE = {_WIRE[act]: status for act, status in UPDATE_AFTER.items()}


@dataclass(frozen=True, slots=True)
class Beside:
    """An article as filed: its *status*, the *posted* updates, the events *seen*.

    *checks* are the levels that it sets for the desk's checks, as JSON; empty if none.
    """

    links: tuple[Link, ...]
    status: str | None
    posted: Mapping[str, str]
    seen: Mapping[str, str]
    checks: str = ""

    @property
    def seq(self) -> int:
        """How many events there are."""
        return len(self.links)

    @property
    def chain(self) -> str:
        """The chain after the last of them."""
        return self.links[-1].chain if self.links else ""


def beside(slug: str, records: Sequence[bytes]) -> Beside:
    """Return what append keeps beside the ledger that *records* are.

    Raises:
        DamagedError: they are no history of *slug*.
    """
    links = tuple(checked(slug, records))
    status: str | None = None
    checks = ""
    posted: dict[str, str] = {}
    seen: dict[str, str] = {}
    for its, record in zip(links, records, strict=True):
        event: Mapping[str, Any] = orjson.loads(record)["event"]
        seen[f"{event['id']} {event['source']}"] = f"{its.seq} {its.chain} {its.fingerprint}"
        status = _STATUS.get(event["type"], status)
        if event["type"] in _SETTING and "checks" in event["data"]:
            checks = (
                orjson.dumps(event["data"]["checks"]).decode() if event["data"]["checks"] else ""
            )
        if event["type"] in _UPDATE and (update_id := update_of(event)):
            posted[update_id] = _UPDATE[event["type"]]
    return Beside(links, status, posted, seen, checks)
