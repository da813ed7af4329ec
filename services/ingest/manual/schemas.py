"""JSON Schemas of events, receipts and problems: pydantic's of the models, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ingest.core.checks.finding import IN_WORDS
from services.ingest.manual import fields
from services.ingest.manual.examples import EVENTS
from services.ingest.manual.sources import SOURCE
from shared.contract.acts import ACTS, Act
from shared.contract.desk import CHECKS, LEVELS
from shared.contract.events import Envelope
from shared.runtime.problems import PROBLEMS

Json = dict[str, Any]

_TIMES = ("time", "published_at", "embargo_until")
#: In the words of JSON Schema, whose regular expressions know no `(?i)`.
_PATTERNS = {"datacontenttype": r"^application/(json|[\w.+-]+\+json)(;.*)?$"}
_STATUSES = ["accepted", "duplicate", "held", "rejected", "unknown"]
_HEX = {"type": "string", "pattern": "^[0-9a-f]{40}$"}


def schemas() -> Json:
    """Return the schemas of all that goes in and comes out, by their names."""
    shared: Json = {}
    types = {_name(act): _event(act, shared) for act in ACTS.values()}
    mapping = {act.wire: f"#/components/schemas/{_name(act)}" for act in ACTS.values()}
    return {
        "Event": {
            "oneOf": [_ref(name) for name in types],
            "discriminator": {"propertyName": "type", "mapping": mapping},
        },
        **types,
        **shared,
        "Receipts": {
            "type": "object",
            "required": ["receipts"],
            "properties": {"receipts": {"type": "array", "items": _ref("Receipt")}},
        },
        "Receipt": _receipt(),
        "Problem": _problem_document(),
    }


def _event(act: type[Act], shared: Json) -> Json:
    """Return the schema of events of one type; what types have in common goes to *shared*."""
    envelope = _tidied(Envelope.model_json_schema(), fields.ENVELOPE)
    data = _tidied(_data(act), fields.DATA)
    for name, definition in data.pop("$defs", {}).items():
        shared[name] = _tidied(definition, fields.DATA)
    example = next((event for event in EVENTS if event["type"] == act.wire), None)
    return {
        "type": "object",
        "description": data.pop("description"),
        "required": envelope["required"],
        "properties": envelope["properties"]
        | {"type": {"const": act.wire, "description": fields.ENVELOPE["type"]}, "data": data},
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
        "additionalProperties": {"type": ["string", "integer", "boolean", "null"]},
        "examples": [example],
    }


def _data(act: type[Act]) -> Json:
    """Return pydantic's schema; `Source` is a citation's, so what is pulled is written out."""
    schema = act.model_json_schema(ref_template="#/components/schemas/{model}")
    for kind in schema["properties"].get("pull", {}).get("anyOf", ()):
        if kind["type"] == "array":
            kind["items"] = SOURCE
            del schema["$defs"]["Source"]
    return schema


def _tidied(schema: Json, words: Mapping[str, str]) -> Json:
    """Return pydantic's *schema* without its titles and null defaults, and with our *words*."""
    properties = {
        name: _property(name, facts, words) for name, facts in schema.get("properties", {}).items()
    }
    kept = {name: facts for name, facts in schema.items() if name != "title"}
    return {**kept, "properties": properties} if properties else kept


def _property(name: str, facts: Json, words: Mapping[str, str]) -> Json:
    facts = {key: value for key, value in facts.items() if key not in ("title", "default")}
    kinds = [_kind(name, each) for each in facts.pop("anyOf", [facts])]
    facts = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return {**facts, "description": words[name]}


def _kind(name: str, facts: Json) -> Json:
    if name in _TIMES and facts.get("type") == "string":
        return {"type": "string", "format": "date-time"}
    if name in _PATTERNS and "pattern" in facts:
        return {**facts, "pattern": _PATTERNS[name]}
    return facts


def _receipt() -> Json:
    text = {"type": "string"}
    kinds: Json = {
        "id": text, "source": text, "article": text,
        "status": {"enum": _STATUSES}, "seq": {"type": "integer", "minimum": 1},
        "chain": _HEX, "durability": text, "findings": {"type": "array", "items": _finding()},
        "line": {"type": "integer", "minimum": 1}, "problem": _ref("Problem"),
        "held": {"const": True}, "spiked": {"const": True},
    }  # fmt: skip
    properties = {name: {**kinds[name], "description": fields.RECEIPT[name]} for name in kinds}
    return {"type": "object", "required": ["status"], "properties": properties}


def _finding() -> Json:
    text: Json = {"type": "string"}
    count: Json = {"type": "integer", "minimum": 0}
    kinds: Json = {
        "check": {"enum": list(CHECKS)}, "level": {"enum": list(LEVELS[1:])}, "detail": text,
        "pointer": text, "span": {"type": "array", "items": count, "minItems": 2, "maxItems": 2},
        "n": count, "update_id": text, "likeness": {"type": "number", "minimum": 0, "maximum": 1},
        "speakers": {"type": "array", "items": text},
    }  # fmt: skip
    properties = {name: {**kinds[name], "description": fields.FINDING[name]} for name in kinds}
    needed = ["check", "level", "detail", "pointer"]
    return {"type": "object", "required": needed, "properties": properties}


def bare_finding() -> Json:
    """Return the schema of a finding without what is in words."""
    whole = _finding()
    kept = {name: facts for name, facts in whole["properties"].items() if name not in IN_WORDS}
    return {**whole, "required": ["check", "level", "pointer"], "properties": kept}


def _problem_document() -> Json:
    text = {"type": "string"}
    error = {"type": "object", "properties": {"pointer": text, "detail": text}}
    return {
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "description": "The address of a page that says more."},
            "title": text,
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What to do."},
            "code": {"enum": list(PROBLEMS)},
            "errors": {"type": "array", "items": error, "description": "One a field."},
        },
    }


def _name(act: type[Act]) -> str:
    _, subject, verb = act.wire.split(".")
    return f"{subject.title()}{verb.title()}"


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
