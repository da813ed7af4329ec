"""A source as it is shown, by the API and by the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.ingest.sources.records import Listed, Stand
from services.ingest.sources.settling import Outcome
from shared.article.dates import rfc3339


def facts(listed: Listed, stand: Stand, due: datetime | None) -> dict[str, Any]:
    """Return what there is to say of a source, which is *due* next; its secret is not."""
    source = listed.source
    same = (stand.kind, stand.url) == (source.kind, source.url)
    known = stand if same else Stand()
    return {
        "name": source.name,
        "kind": source.kind,
        "url": source.url,
        "provenance": source.origin,
        "from": "event" if listed.event else "operator",
        "state": state(listed, known),
        "ran_at": _time(known.ran),
        "succeeded_at": _time(known.succeeded),
        "next_at": None if listed.word.paused else _time(due),
        "failures": known.failures,
        "reason": known.reason or None,
        "refused": known.refused or None,
        "filed": known.filed,
    }


def state(listed: Listed, stand: Stand) -> str:
    """Say in a word how a source is."""
    if listed.word.paused:
        return "paused"
    if stand.gone:
        return "gone"
    return "failing" if stand.failures else "fine" if stand.succeeded else "new"


def outcome(result: Outcome) -> dict[str, Any]:
    """Return what came of a run."""
    return {
        "filed": result.filed,
        "held": result.held,
        "duplicates": result.duplicates,
        "refused": result.refused,
        "unchanged": result.unchanged,
        "failure": result.failure,
    }


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment.replace(microsecond=0)) if moment else None
