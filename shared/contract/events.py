"""The envelope: CloudEvents 1.0 around one act, parsed by our own rules.

Our own, because a parser that invents a missing `id` makes every retry a new event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from shared.article.dates import parse_rfc3339
from shared.contract.acts import ACTS, ADDRESS, OBJECT, Act, Posted, Time
from shared.contract.copy_rules import UPDATE_ID, Slug
from shared.contract.errors import FieldError, InvalidEvent

MAX_EVENT_BYTES = 256 * 1024
MAX_DEPTH = 32

_EXTENSION = re.compile(r"[a-z0-9]+")
_URI_REFERENCE = r"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$"


class _Envelope(BaseModel):
    """The attributes that CloudEvents defines; extensions are looked at apart."""

    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=128)]
    source: Annotated[str, StringConstraints(pattern=_URI_REFERENCE, max_length=256)]
    type: str
    subject: Slug
    time: Time | None = None
    datacontenttype: (
        Annotated[str, StringConstraints(pattern=r"(?i)^application/(json|[\w.+-]+\+json)(;.*)?$")]
        | None
    ) = None
    dataschema: Annotated[str, Field(max_length=2048)] | None = None
    data: dict[str, Any]
    baseversion: Annotated[int, Field(ge=0)] | None = None


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
        named: str | None = getattr(self.act, "update_id", None)
        return self.id if named is None and isinstance(self.act, Posted) else named


def parse_event(value: object) -> Event:
    """Check one decoded JSON value.

    Raises:
        InvalidEvent: with every field that is wrong, the envelope's before the data's.
    """
    if not isinstance(value, dict):
        raise InvalidEvent([FieldError("", "must be an object")])
    envelope = {name: item for name, item in value.items() if item is not None}
    try:
        checked = _Envelope.model_validate(envelope)
    except ValidationError as error:
        raise InvalidEvent(_field_errors(error)) from None
    _check_extensions(checked.model_extra or {})
    return Event(
        id=checked.id,
        source=checked.source,
        type=checked.type,
        subject=checked.subject,
        time=parse_rfc3339(checked.time) if checked.time else None,
        act=_parse_act(checked),
        baseversion=checked.baseversion,
        envelope=envelope,
    )


def _parse_act(envelope: _Envelope) -> Act:
    model = ACTS.get(envelope.type)
    if model is None:
        known = ", ".join(ACTS)
        raise InvalidEvent([FieldError("/type", f"is not a known type; the types are {known}")])
    try:
        act = model.model_validate(envelope.data)
    except ValidationError as error:
        raise InvalidEvent(_field_errors(error, "data")) from None
    if isinstance(act, Posted) and act.update_id is None and not re.match(UPDATE_ID, envelope.id):
        detail = "is missing, and the event's id is no update_id (1 to 64 of A-Za-z0-9._~-)"
        raise InvalidEvent([FieldError("/data/update_id", detail)])
    return act


def _check_extensions(extensions: Mapping[str, object]) -> None:
    errors = []
    for name, value in extensions.items():
        if not _EXTENSION.fullmatch(name):
            detail = "is no attribute's name: lower-case letters and digits only"
            errors.append(FieldError(_pointer([name]), detail))
        elif not isinstance(value, str | int):
            detail = "must be a string, an integer or a boolean"
            errors.append(FieldError(_pointer([name]), detail))
    if errors:
        raise InvalidEvent(errors)


def _pointer(path: Iterable[object]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _field_errors(error: ValidationError, *prefix: str) -> list[FieldError]:
    """Turn pydantic's errors into ours: one a field, never with what was sent."""
    by_pointer: dict[str, FieldError] = {}
    for item in error.errors(include_url=False, include_input=False, include_context=True):
        path = [part for part in item["loc"] if part not in (ADDRESS, OBJECT)]
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
        case "string_pattern_mismatch":
            return f"must match {item['ctx']['pattern']}"
        case "value_error":
            return item["msg"].removeprefix("Value error, ")
        case _:
            return item["msg"].replace("Input should be", "must be")
