"""The demo's sample coverage: its events, how they are told, and how they become today's."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from typing import Any

import orjson

from services.cli.telling import one_line
from shared.article.dates import rfc3339

Event = dict[str, Any]

#: An act's last word on the wire, for those who don't file events.
WORDS = {
    "published": "the article opens",
    "writethru": "writethru filed",
    "closed": "coverage ends",
    "reopened": "coverage resumes",
    "killed": "kill filed",
    "posted": "update filed",
    "revised": "typo mended",
    "corrected": "correction filed",
    "retracted": "retraction filed",
    "redacted": "redaction filed",
    "pinned": "update pinned",
    "unpinned": "update unpinned",
}


def load() -> list[Event]:
    """Return the events, in the order in which they are filed."""
    text = files("services.cli").joinpath("coverage.ndjson").read_bytes()
    return [orjson.loads(line) for line in text.splitlines()]


def filed_at(event: Event, moment: datetime) -> Event:
    """Return *event* as if it had been filed at *moment*."""
    data = {name: value for name, value in event["data"].items() if name != "published_at"}
    return event | {"time": rfc3339(moment), "data": data}


def act(event: Event) -> str:
    """Return the last word of the event's type."""
    return str(event["type"]).rpartition(".")[2]


def gist(event: Event) -> str:
    """Return what the event says, in one line: its note, else its text, else its headline."""
    data = event["data"]
    said = (data.get(name) for name in ("note", "text", "headline", "update_id"))
    return one_line(next(filter(None, said), ""))
