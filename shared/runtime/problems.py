"""Errors as `application/problem+json` (RFC 9457). HTTP's statuses live here, not on errors."""

from __future__ import annotations

from typing import Any

from shared.contract.errors import InvalidEvent, WritethruError

MEDIA_TYPE = "application/problem+json"

#: Every code that a publisher can meet, with its status and a title for people.
PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed": (400, "This is not JSON of the right shape"),
    "unauthenticated": (401, "No valid key"),
    "forbidden": (403, "This key may not do that"),
    "unknown-article": (404, "No such article"),
    "unknown-update": (404, "No such update"),
    "article-exists": (409, "The article exists already"),
    "update-exists": (409, "The update exists already"),
    "article-closed": (409, "The article is closed"),
    "update-retracted": (409, "The update is retracted"),
    "id-conflict": (409, "The id is taken by another event"),
    "stale": (409, "The article has moved on"),
    "article-killed": (410, "The article is killed"),
    "too-large": (413, "Too large"),
    "unsupported": (415, "Unsupported media type"),
    "invalid": (422, "The event's form is wrong"),
    "busy": (503, "Try again shortly"),
    "durability-timeout": (503, "The event may be stored"),
}

#: Seconds after which trying again is worth it.
RETRY_AFTER = {"busy": 2, "durability-timeout": 1}


def status_of(code: str) -> int:
    """Return the HTTP status that goes with *code*."""
    return PROBLEMS[code][0]


def problem(error: WritethruError) -> dict[str, Any]:
    """Describe *error* as a problem document."""
    status, title = PROBLEMS[error.code]
    document: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
    }
    if isinstance(error, InvalidEvent):
        document["errors"] = [
            {"pointer": item.pointer, "detail": item.detail} for item in error.errors
        ]
    return document
