"""The envelope: CloudEvents 1.0 around one act, parsed by our own rules.

Our own, because a parser that invents a missing `id` makes every retry a new event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from shared.article.dates import parse_rfc3339
from shared.contract.acts import ACTS, ADDRESS, OBJECT, Act, Posted, Time
from shared.contract.copy_rules import SLUG, UPDATE_ID, Slug, Text, is_text
from shared.contract.errors import FieldError, InvalidEvent

MAX_EVENT_BYTES = 256 * 1024
MAX_DEPTH = 32
#: A line begins one block at most, and each costs a page more than its text.
MAX_LINES = 10_000
#: More wrong fields than a person reads help nobody but whoever wants a large answer.
MAX_ERRORS = 100

#: As far as every JSON reader keeps integers exact (RFC 7493).
_FAR = 2**53 - 1
_TEXTS = ("body", "text", "summary")
_LINE_ENDS = re.compile("\r\n?|\n")
_EXTENSION = re.compile(r"[a-z0-9]+")
_ID = r"^[\x21-\x7e]+$"
_URI_REFERENCE = r"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$"
_JSON_TYPE = r"(?i)^application/(json|[\w.+-]+\+json)(;.*)?$"

_IN_WORDS = {
    _ID: "must be visible ASCII characters, without spaces",
    _URI_REFERENCE: 'must be a URI reference, such as "/newsroom/cms"',
    _JSON_TYPE: "must be application/json or another JSON type, or be left out",
    SLUG: "must be lower-case letters and digits with single hyphens between them",
    UPDATE_ID: "must be 1 to 64 of A-Z a-z 0-9 . _ ~ -",
}


class Envelope(BaseModel):
    """The attributes that CloudEvents defines; extensions are looked at apart."""

    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(pattern=_ID, max_length=128)]
    source: Annotated[str, StringConstraints(pattern=_URI_REFERENCE, max_length=256)]
    type: str
    subject: Slug
    time: Time | None = None
    datacontenttype: Annotated[str, StringConstraints(pattern=_JSON_TYPE)] | None = None
    dataschema: Annotated[Text, Field(max_length=2048)] | None = None
    data: dict[str, Any]
    baseversion: Annotated[int, Field(ge=0, le=_FAR)] | None = None


_ATTRIBUTES = frozenset(Envelope.model_fields)
_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, checked.

    *envelope* is what was sent, to be stored and fingerprinted as it is; *act* is its `data`
    by type. *time* is None when the sender left it to ingest.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime | None
    act: Act
    baseversion: int | None
    envelope: Mapping[str, Any]

    @property
    def update_id(self) -> str | None:
        """The update that this is about; None for acts on the whole article."""
        named: str | None = self.act.__dict__.get("update_id")
        return self.id if named is None and isinstance(self.act, Posted) else named

    @property
    def embargo_until(self) -> datetime | None:
        """Before when nobody outside may know of this; None for at once."""
        until: str | None = self.act.__dict__.get("embargo_until")
        return parse_rfc3339(until) if until else None


def parse_event(value: object) -> Event:
    """Check one decoded JSON value.

    Raises:
        InvalidEvent: with the fields that are wrong, the envelope's before the data's.
    """
    if not isinstance(value, dict):
        raise InvalidEvent([FieldError("", "must be an object")])
    envelope = {name: item for name, item in value.items() if item is not None}
    errors: list[FieldError] = []
    checked = _checked(Envelope, envelope, errors)
    _check_extensions(envelope, errors)
    act = _parse_act(envelope, errors)
    if checked is None or act is None or errors:
        raise InvalidEvent(errors[:MAX_ERRORS])
    return Event(
        id=checked.id,
        source=checked.source,
        type=checked.type,
        subject=checked.subject,
        time=parse_rfc3339(checked.time) if checked.time else None,
        act=act,
        baseversion=checked.baseversion,
        envelope=envelope,
    )


def check_extent(event: Event) -> None:
    """See that no text has more lines than may be filed.

    Apart from `parse_event`, which reads ledgers too: what was accepted once stays readable.

    Raises:
        InvalidEvent: with the fields that have.
    """
    said = event.act.__dict__
    long = [name for name in _TEXTS if len(said.get(name) or "") > MAX_LINES]
    detail = f"has more than {MAX_LINES:,} lines; file the rest apart"
    too_long = [
        FieldError(f"/data/{name}", detail)
        for name in long
        if len(_LINE_ENDS.findall(said[name])) >= MAX_LINES
    ]
    if too_long:
        raise InvalidEvent(too_long)


def _checked(
    model: type[_Model], value: object, errors: list[FieldError], *prefix: str
) -> _Model | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors += _field_errors(error, *prefix)
        return None


def _parse_act(envelope: Mapping[str, Any], errors: list[FieldError]) -> Act | None:
    """Check `data` by `type`, where both are of the right kind; else the envelope has erred."""
    kind, data, event_id = (envelope.get(name) for name in ("type", "data", "id"))
    if not isinstance(kind, str) or not isinstance(data, dict):
        return None
    if kind not in ACTS:
        detail = f"is not a known type; the types are {', '.join(ACTS)}"
        errors.append(FieldError("/type", detail))
        return None
    act = _checked(ACTS[kind], data, errors, "data")
    unnamed = isinstance(act, Posted) and act.update_id is None
    if unnamed and isinstance(event_id, str) and not re.fullmatch(UPDATE_ID, event_id):
        detail = "is missing, and the event's id is no update_id (1 to 64 of A-Za-z0-9._~-)"
        errors.append(FieldError("/data/update_id", detail))
    return act


def _check_extensions(envelope: Mapping[str, object], errors: list[FieldError]) -> None:
    for name, value in envelope.items():
        if name not in _ATTRIBUTES and (detail := _extension_error(name, value)):
            errors.append(FieldError(_pointer([name]), detail))


def _extension_error(name: str, value: object) -> str | None:
    if not _EXTENSION.fullmatch(name):
        return "is no attribute's name: lower-case letters and digits only"
    if isinstance(value, str):
        return None if is_text(value) else "holds what is no text; remove its control characters"
    if not isinstance(value, int) or abs(value) > _FAR:
        return "must be a string, an integer below 2^53 or a boolean"
    return None


def _pointer(path: Iterable[object]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _field_errors(error: ValidationError, *prefix: str) -> list[FieldError]:
    """Turn pydantic's errors into ours: one a field, never with what was sent."""
    by_pointer: dict[str, FieldError] = {}
    for item in error.errors(include_url=False, include_input=False, include_context=True):
        path = [part for part in item["loc"] if part not in (ADDRESS, OBJECT, "[key]")]
        pointer = _pointer([*prefix, *path])
        by_pointer.setdefault(pointer, FieldError(pointer, _detail(item)))
    return list(by_pointer.values())


def _detail(item: ErrorDetails) -> str:
    match item["type"]:
        case "extra_forbidden":
            return "is no field of this event; check its spelling or remove it"
        case "missing":
            return "is required"
        case "tuple_type":
            return "must be an array"
        case "model_type" | "dict_type":
            return "must be an object"
        case "too_long":
            return f"must have at most {item['ctx']['max_length']} items"
        case "string_pattern_mismatch":
            return _IN_WORDS[item["ctx"]["pattern"]]
        case "value_error":
            return item["msg"].removeprefix("Value error, ")
        case _:
            return re.sub("^(Input|String) should", "must", item["msg"])
