"""Errors as `application/problem+json` (RFC 9457). HTTP's statuses live here, not on errors."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.contract.errors import Busy, InvalidEvent, TooOften, WritethruError

MEDIA_TYPE = "application/problem+json"


class Problem(NamedTuple):
    """What a code means: to HTTP, and to people.

    *own_status* is that of a problem which is this sender's alone.
    """

    status: int
    title: str
    cause: str
    remedy: str
    own_status: int | None = None


#: Every code that a publisher can meet.
PROBLEMS: dict[str, Problem] = {
    "malformed": Problem(
        400,
        "This is not JSON of the right shape",
        "The body is not JSON in UTF-8, not an object or array where there has to be one, nested "
        "deeper than 32, or it did not come whole; or Writethru-Durability asks for a level that "
        "there is not.",
        "Send one JSON object, an array of them, or one object a line, as the media type says; "
        "name a level that detail lists.",
    ),
    "unauthenticated": Problem(
        401,
        "No valid key",
        "The request has no key, or one that is unknown, expired or revoked.",
        "Send a key in the header: Authorization: Bearer wt_…",
    ),
    "forbidden": Problem(
        403,
        "This key may not do that",
        "The key is valid, but not for this act, article or source.",
        "Use a key that may, or have the scopes or patterns of this one widened.",
    ),
    "unknown-article": Problem(
        404,
        "No such article",
        "The event's subject names an article that was never opened.",
        "File the article's writethru.article.published first, or mend the subject.",
    ),
    "unknown-update": Problem(
        404,
        "No such update",
        "The event names an update that was never posted to its article.",
        "File its writethru.update.posted first, or mend the update_id.",
    ),
    "article-exists": Problem(
        409,
        "The article exists already",
        "An article is opened once; this one was.",
        "Change it with writethru.article.writethru, or open another slug.",
    ),
    "update-exists": Problem(
        409,
        "The update exists already",
        "The article has an update of this update_id already.",
        "Correct or revise that one, or post this under an update_id of its own.",
    ),
    "article-closed": Problem(
        409,
        "The article is closed",
        "A closed article takes no new updates. Corrections and retractions it does take.",
        "File writethru.article.reopened first.",
    ),
    "update-retracted": Problem(
        409,
        "The update is retracted",
        "A retraction is for good: the update can't be corrected, revised, pinned or retracted.",
        "Post a new update.",
    ),
    "id-conflict": Problem(
        409,
        "The id is taken by another event",
        "The article has an event under this source and id which says something else.",
        "Give each event an id of its own; send an event again exactly as it was.",
    ),
    "stale": Problem(
        409,
        "The article has moved on",
        "The article's last seq is not the event's baseversion: somebody filed in between.",
        "Read the article again, then decide whether the event still holds.",
    ),
    "article-killed": Problem(
        410,
        "The article is killed",
        "A kill is for good; the article takes no more events.",
        "Tell the story under another slug.",
    ),
    "too-large": Problem(
        413,
        "Too large",
        "An event is at most 256 KiB, a request 8 MiB; a batch 500 events, NDJSON 10,000 lines; "
        "and no request more events than its key may file in a minute.",
        "Shorten the event, or split the request.",
    ),
    "unsupported": Problem(
        415,
        "Unsupported media type",
        "The Content-Type is not one that is taken here, or the body has a Content-Encoding.",
        "Send application/cloudevents+json, application/cloudevents-batch+json or "
        "application/x-ndjson, not compressed.",
    ),
    "invalid": Problem(
        422,
        "The event's form is wrong",
        "The event is JSON, but not of the form that its type asks for; or there is no event; or "
        "the desk's checks refuse its copy.",
        "Mend what errors names, one entry a field, each with its JSON pointer.",
    ),
    "busy": Problem(
        503,
        "Try again shortly",
        "The engine can't take the event at the moment, or too many senders are connected (503); "
        "or the key has filed as much as it may in a minute, or too many wrong keys came from this "
        "address, or it has too many live readers (429). Nothing was stored.",
        "Send it again, with the same id, after as many seconds as Retry-After says.",
        own_status=429,
    ),
    "durability-timeout": Problem(
        503,
        "The event may be stored",
        "The engine did not answer in time, so nobody knows; or the level of durability that was "
        "asked for was not confirmed in time.",
        "Send it again with the same id: it takes effect once, however often it is sent.",
    ),
}

#: Seconds after which trying again is worth it.
RETRY_AFTER = {"busy": 2, "durability-timeout": 1}


def status_of(code: str) -> int:
    """Return the HTTP status that goes with *code*."""
    return PROBLEMS[code].status


def seconds_after(error: WritethruError) -> int | None:
    """Return after how many seconds trying again is worth it; None where it never is."""
    own = error.after if isinstance(error, Busy) else None
    return own or RETRY_AFTER.get(error.code)


def problem(error: WritethruError) -> dict[str, Any]:
    """Describe *error* as a problem document."""
    known = PROBLEMS[error.code]
    document: dict[str, Any] = {
        "type": f"/problems/{error.code}",
        "title": known.title,
        "status": (isinstance(error, TooOften) and known.own_status) or known.status,
        "detail": error.detail,
        "code": error.code,
    }
    if isinstance(error, InvalidEvent):
        document["errors"] = [
            {"pointer": item.pointer, "detail": item.detail} for item in error.errors
        ]
    return document
