"""The OpenAPI 3.1 document of ingest: what a publisher's programmer needs, made from the models.

Made here and not by FastAPI: an endpoint that judges bytes by itself, in an order of its own, has
no signature to read it from.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.ingest.core.bodies import (
    BATCH,
    LINES,
    MAX_BATCH_EVENTS,
    MAX_LINES,
    MAX_REQUEST_BYTES,
    ONE,
)
from services.ingest.manual.examples import EMBARGO, EVENTS, PROBLEMS, SLUG
from services.ingest.manual.schemas import Json, schemas
from shared.contract.copy_rules import MAX_SLUG
from shared.contract.copy_rules import SLUG as SLUG_PATTERN
from shared.contract.durability import DURABILITIES, HEADER
from shared.contract.events import MAX_EVENT_BYTES
from shared.runtime.problems import MEDIA_TYPE
from shared.runtime.problems import PROBLEMS as CODES

VERSION = "1"

_MEBIBYTE = 1024 * 1024


def document() -> Json:
    """Return the document; the same one, always."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "writethru: filing events",
            "version": VERSION,
            "summary": "Newsroom systems file events here; readers have the article as it stands.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/events": {"post": _filing()},
            "/v1/articles/{slug}/events": {"get": _reading()},
            "/problems/{code}": {"get": _explaining()},
            "/healthz": {"get": _probe("alive", "Whether the process lives", [200])},
            "/readyz": {"get": _probe("ready", "Whether to send events here", [200, 503])},
        },
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "bearerFormat": "wt_<id>_<secret>"}
            },
            "schemas": schemas(),
        },
    }


def _filing() -> Json:
    examples = {event["type"].removeprefix("writethru."): {"value": event} for event in EVENTS}
    examples["embargo"] = {"value": EMBARGO}
    return {
        "operationId": "fileEvents",
        "summary": "File one event, a batch, or one event a line",
        "description": (
            "An event is judged after the ones before it. In what order: the form of the request, "
            "the key, the form of the event, whether it is known, the article, the update, "
            f"baseversion. An event is at most {MAX_EVENT_BYTES // 1024} KiB, a request "
            f"{MAX_REQUEST_BYTES // _MEBIBYTE} MiB, uncompressed. One event may also come in the "
            "binary mode of CloudEvents: its attributes as ce- headers, its data as a body of "
            "application/json."
        ),
        "parameters": [
            {
                "name": HEADER,
                "in": "header",
                "description": (
                    "The level at which these events are to be kept before they are answered for: "
                    "memory; fsync, the disk of the engine's primary; replica, a replica's memory "
                    "too; replica-fsync, a replica's disk too. The installation's if left out, and "
                    "never less than the key's. One that is not confirmed in time makes the "
                    "receipt unknown."
                ),
                "schema": {"type": "string", "enum": list(DURABILITIES)},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                ONE: {"schema": _ref("Event"), "examples": examples},
                BATCH: {
                    "schema": {
                        "type": "array",
                        "items": _ref("Event"),
                        "minItems": 1,
                        "maxItems": MAX_BATCH_EVENTS,
                    },
                    "examples": {"coverage": {"value": list(EVENTS[:2])}},
                },
                LINES: {
                    "schema": {
                        "type": "string",
                        "description": f"One event a line, up to {MAX_LINES:,}.",
                    }
                },
            },
        },
        "responses": {
            "202": _answer("No event was rejected: each is stored, or unknown.", _ref("Receipts")),
            "207": _answer("Some were rejected: their receipts say why.", _ref("Receipts")),
            **_problems(CODES),
        },
    }


def _reading() -> Json:
    codes = ("unauthenticated", "forbidden", "unknown-article", "busy")
    return {
        "operationId": "readEvents",
        "summary": "The events of an article, oldest first",
        "description": (
            "One event a line, as it was filed, with its seq and chain. What was retracted or "
            "killed since is masked, and such an event has masked: true; a key with the scope "
            "admin sees all."
        ),
        "parameters": [
            {
                "name": "slug",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": SLUG_PATTERN, "maxLength": MAX_SLUG},
                "example": SLUG,
            },
            {
                "name": "after",
                "in": "query",
                "description": "The seq of the last event that you have.",
                "schema": {"type": "integer", "minimum": 0, "maximum": 10**15 - 1, "default": 0},
            },
        ],
        "responses": {
            "200": {
                "description": "The events; nothing where there are none after that seq.",
                "content": {LINES: {"schema": {"type": "string"}}},
            },
            "400": _answer("after is no seq.", _ref("Problem"), MEDIA_TYPE),
            **_problems(codes),
        },
    }


def _explaining() -> Json:
    return {
        "operationId": "explainProblem",
        "summary": "What a problem's code means, for people",
        "security": [],
        "parameters": [
            {
                "name": "code",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "enum": list(CODES)},
            }
        ],
        "responses": {
            "200": {
                "description": "A page.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            },
            "404": _answer("No problem has this code.", _ref("Problem"), MEDIA_TYPE),
        },
    }


def _probe(name: str, summary: str, statuses: Iterable[int]) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "security": [],
        "responses": {str(status): {"description": "In words."} for status in statuses},
    }


def _answer(description: str, schema: Json, media_type: str = "application/json") -> Json:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _problems(codes: Iterable[str]) -> Json:
    """Return the answers that *codes* give, one for each status, with an example for each code."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        for status in filter(None, (CODES[code].status, CODES[code].own_status)):
            by_status.setdefault(status, []).append(code)
    return {str(status): _problem(status, by_status[status]) for status in sorted(by_status)}


def _problem(status: int, codes: Iterable[str]) -> Json:
    examples = {
        code: {
            "summary": PROBLEMS[code].when,
            "value": {
                "type": f"/problems/{code}",
                "title": CODES[code].title,
                "status": status,
                "detail": CODES[code].cause,
                "code": code,
            },
        }
        for code in codes
    }
    content = {MEDIA_TYPE: {"schema": _ref("Problem"), "examples": examples}}
    answer = {"description": "; ".join(CODES[code].title for code in codes), "content": content}
    if status in (429, 503):
        after = {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
        answer["headers"] = {"Retry-After": after}
    return answer


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
