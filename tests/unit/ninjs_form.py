"""What IPTC's schema of ninjs 3.1 asks of the objects that we write, as a table of our own.

From `specification/ninjs-schema_3.1.json` of https://github.com/iptc/newsinjson, which is in no
package: the names an object may have, all others being forbidden (`unevaluatedProperties` and
`additionalProperties` are false throughout), their types, formats and values, and which must be
there. Names that we never write are left out, so what fits this fits that.
"""

from __future__ import annotations

from typing import Any

from jsonschema_rs import Draft202012Validator

_TEXT, _INTEGER = {"type": "string"}, {"type": "integer"}
_TIME, _URI = {"type": "string", "format": "date-time"}, {"type": "string", "format": "uri"}
_TYPES = (
    *("text", "audio", "video", "picture", "graphic"),
    *("composite", "component", "event", "planning"),
)


def _of(*required: str, **parts: Any) -> dict[str, Any]:
    """Return the form of an object with no names but these."""
    form = {"type": "object", "properties": parts, "additionalProperties": False}
    return form | ({"required": list(required)} if required else {})


def _all(form: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": form}


def _one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


_SAYING = _all(_of("value", role=_TEXT, contentType=_TEXT, value=_TEXT))
_BODY = _of("value", role=_TEXT, contentType=_TEXT, charCount=_INTEGER, wordCount=_INTEGER,
            value=_TEXT)  # fmt: skip
_RENDITION = _of("name", name=_TEXT, href=_URI, contentType=_TEXT, title=_TEXT, width=_INTEGER,
                 height=_INTEGER, sizeInBytes=_INTEGER)  # fmt: skip
_OBJECT = {
    "uri": _URI,
    "type": _one_of(*_TYPES),
    "representationType": _one_of("full", "partial"),
    "version": _TEXT,
    "firstCreated": _TIME,
    "versionCreated": _TIME,
    "contentCreated": _TIME,
    "embargoedUntil": _TIME,
    "pubStatus": _one_of("usable", "withheld", "canceled"),
    "urgency": {"type": "integer", "minimum": 1, "maximum": 9},
    "edNote": _TEXT,
    "language": _TEXT,
    "descriptions": _SAYING,
    "bodies": _all(_BODY),
    "headlines": _SAYING,
    "subjects": _all(_of(name=_TEXT, rel=_TEXT, uri=_URI, literal=_TEXT)),
    "infoSources": _all(_of(name=_TEXT, role=_TEXT, uri=_URI, literal=_TEXT)),
    "by": _TEXT,
    "slugline": _TEXT,
    "renditions": _all(_RENDITION),
    "associations": _all({"$ref": "#/$defs/association"}),
    "altIds": _all(_of(role=_TEXT, value=_TEXT)),
    "standard": _of(name=_TEXT, version=_TEXT, schema=_URI),
    "digitalSourceType": _of(name=_TEXT, uri=_URI, literal=_TEXT),
}
_ASSOCIATION = _of("uri", "name", **_OBJECT, name=_TEXT, rel=_TEXT)
FORM = {**_of("uri", **_OBJECT), "$defs": {"association": _ASSOCIATION}}
_JUDGE = Draft202012Validator(FORM, validate_formats=True)


def faults(ninjs_object: dict[str, Any], judge: Draft202012Validator = _JUDGE) -> list[str]:
    """Return where it is out of form, as paths, with words."""
    found = judge.iter_errors(ninjs_object)
    return [f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in found]


def judge_of(schema: dict[str, Any]) -> Draft202012Validator:
    """Return one that goes by *schema*; what that takes from elsewhere (GeoJSON) is anything."""
    return Draft202012Validator(schema, validate_formats=True, retriever=lambda _: {})
