"""CloudEvents in binary mode: attributes in `ce-` headers, `data` as the body. Pure.

A header's value is undone as the HTTP binding says: first its double quotes, then one round of
percent-encoding, then UTF-8. What it doesn't allow is refused, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from services.ingest.core.bodies import Item, decode
from shared.contract.errors import FieldError, InvalidEvent, Refused
from shared.contract.events import MAX_DEPTH, MAX_EVENT_BYTES

#: The media type of the body; with it alone, nothing says that this is an event.
DATA = "application/json"

_PREFIX = b"ce-"
_NEEDED = ("specversion", "id", "source", "type", "subject")
_ELSEWHERE = {
    "data": "is the body; remove the header ce-data",
    "datacontenttype": "is the header Content-Type; remove the header ce-datacontenttype",
}
#: Headers are text; the attributes that are integers are known by their names.
_INTEGERS = ("baseversion",)
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")

Headers = Iterable[tuple[bytes, bytes]]


def is_binary(headers: Headers) -> bool:
    """Whether any of *headers*, their names in lower case, carries an attribute."""
    return any(name.startswith(_PREFIX) for name, _ in headers)


def read(headers: Headers, media_type: str, body: bytes) -> Item:
    """Put an event together; *media_type* becomes its `datacontenttype`.

    Raises:
        Refused: the body is no JSON within an event's limits.
    """
    if len(body) > MAX_EVENT_BYTES:
        raise Refused("too-large", f"An event is at most {MAX_EVENT_BYTES // 1024} KiB; cut it.")
    data = decode(body, MAX_DEPTH - 1)  # the envelope is one level more
    errors: list[FieldError] = []
    attributes = _attributes(headers, errors)
    errors += (
        FieldError(f"/{name}", f"is required; send it as the header ce-{name}")
        for name in _NEEDED
        if name not in attributes
    )
    if errors:
        return Item(refusal=InvalidEvent(errors))
    return Item({**attributes, "datacontenttype": media_type, "data": data})


def _attributes(headers: Headers, errors: list[FieldError]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for header, value in headers:
        if not header.startswith(_PREFIX):
            continue
        name = header.removeprefix(_PREFIX).decode("latin-1")
        try:
            found[name] = _value(name, value, found)
        except ValueError as error:
            errors.append(FieldError(f"/{name.replace('~', '~0')}", str(error)))
            found[name] = None  # it was sent, so it is not missing
    return found


def _value(name: str, value: bytes, before: dict[str, Any]) -> str | int:
    if name in _ELSEWHERE:
        raise ValueError(_ELSEWHERE[name])
    if name in before:
        raise ValueError(f"is sent twice; send the header ce-{name} once")
    text = _decoded(value)
    return int(text) if name in _INTEGERS and _INTEGER.fullmatch(text) else text


def _decoded(value: bytes) -> str:
    if quoted := _QUOTED.fullmatch(value):
        value = re.sub(rb"\\(.)", rb"\1", quoted[1])
    if not value.isascii():
        raise ValueError("holds bytes outside ASCII; percent-encode them as UTF-8")
    if _LONE_PERCENT.search(value):
        raise ValueError("holds a % that begins no percent-encoding; send it as %25")
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 once its percent-encoding is undone") from None
