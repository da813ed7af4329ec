"""A request's body → its events as JSON values: pure, strict, and one way for each media type.

Strict where JSON parsers differ among themselves: what two of them could read in two ways (a name
given twice, half a surrogate pair, NaN) is refused, never guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NoReturn, TypeVar

import orjson

from shared.contract.errors import Refused
from shared.contract.events import MAX_DEPTH, MAX_EVENT_BYTES

MAX_REQUEST_BYTES = 8 * 1024 * 1024
MAX_BATCH_EVENTS = 500
MAX_LINES = 10_000

#: Some editors on Windows begin every file with it; RFC 8259 lets a reader ignore it.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")
_FILLED_LINE = re.compile(rb"\S[^\n]*")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Item:
    """One event as sent: its JSON object, or why there is none.

    *line* counts from 1, blank lines too, where the form has lines.
    """

    value: Mapping[str, Any] | None = None
    refusal: Refused | None = None
    line: int | None = None


def one(body: bytes) -> Iterable[Item]:
    """Read a body that is one event. Raises Refused."""
    return [Item(read_event(body))]


def batch(body: bytes) -> Iterable[Item]:
    """Read a body that is a JSON array; an element that is no event is refused by itself.

    Raises:
        Refused: the body as a whole is no array, or has too many elements; when the events are
            asked for, that there is none.
    """
    texts = list(islice(_elements(_decoded(body)), MAX_BATCH_EVENTS + 1))
    if len(texts) > MAX_BATCH_EVENTS:
        raise Refused("too-large", f"A batch is at most {MAX_BATCH_EVENTS} events; split it.")
    return _some([_item(text) for text in texts])


def lines(body: bytes) -> Iterable[Item]:
    """Read a body with one event a line; blank lines don't count.

    Raises:
        Refused: there are too many lines; when the events are asked for, that there is none.
    """
    texts = list(islice(_lines(body), MAX_LINES + 1))
    if len(texts) > MAX_LINES:
        raise Refused("too-large", f"A request is at most {MAX_LINES:,} lines; split it.")
    return (_item(text, line) for line, text in _some(texts))


ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
#: Media types of whole events, and how their bodies are read.
FORMS: Mapping[str, Callable[[bytes], Iterable[Item]]] = {ONE: one, BATCH: batch, LINES: lines}


def read_event(text: bytes, limit: int = MAX_EVENT_BYTES) -> Mapping[str, Any]:
    """Read one JSON object within the limits of an event; *limit* is that of its bytes.

    Raises:
        Refused: as `too-large` or `malformed`.
    """
    if len(text) > limit:
        raise Refused("too-large", f"An event is at most {limit // 1024} KiB; cut it.")
    value = decode(text)
    if not isinstance(value, dict):
        raise Refused("malformed", "An event is a JSON object; this is another kind of value.")
    return value


def decode(text: bytes, depth: int = MAX_DEPTH) -> object:
    """Read any JSON value. Raises Refused as `malformed`, without a word of what it says."""
    value = _compact(text)
    if value is not None and _depth(value) <= depth:
        return value
    try:
        value = _STRICT.decode(_decoded(text))
        if _depth(value) > depth:
            raise RecursionError
        orjson.dumps(value)  # refuses half a surrogate pair, and integers beyond 64 bits
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, TypeError) as error:
        raise _malformed(error) from None
    return value


def _compact(text: bytes) -> object:
    """Return the value of *text* if that is how a quick writer would write it; else None.

    What comes out as it went in has no name twice, no half of a pair, and nothing that one reader
    reads in another way than the next; as most programs write JSON so, most needs no other look.
    """
    try:
        value: object = orjson.loads(text)
        return value if orjson.dumps(value) == text else None
    except (ValueError, TypeError):
        return None


def _too_deep() -> Refused:
    return Refused("malformed", f"The JSON is nested deeper than {MAX_DEPTH}; flatten it.")


def _decoded(text: bytes) -> str:
    try:
        return text.removeprefix(_BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(error) from None


def _malformed(error: ValueError | TypeError) -> Refused:
    match error:
        case json.JSONDecodeError():
            where = f"column {error.colno}"
            if "\n" in error.doc:
                where = f"line {error.lineno}, {where}"
            return Refused("malformed", f"This is not JSON. {error.msg}: {where}.")
        case UnicodeDecodeError():
            return Refused("malformed", f"This is not UTF-8 from byte {error.start} on.")
        case _:
            detail = "This is not JSON that every reader reads alike: it holds NaN, half a "
            return Refused("malformed", f"{detail}surrogate pair or an integer beyond 64 bits.")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise Refused("malformed", "An object gives the same name twice; send each name once.")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
_LENIENT = json.JSONDecoder()


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [part for item in level for part in _parts(item)]
    return depth


def _parts(item: object) -> Iterable[object]:
    return item.values() if isinstance(item, dict) else item  # type: ignore[return-value]


def _lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    body = body.removeprefix(_BYTE_ORDER_MARK)
    line, at = 1, 0
    for found in _FILLED_LINE.finditer(body):
        line += body.count(b"\n", at, found.start())
        at = found.start()
        yield line, found[0].rstrip()


def _elements(text: str) -> Iterator[bytes]:
    """Yield the source of each element of a JSON array, so that each can be judged by itself."""
    at = _past_space(text, 0)
    if not text.startswith("[", at):
        raise Refused("malformed", "A batch is a JSON array of events.")
    at = _past_space(text, at + 1)
    more = not text.startswith("]", at)
    while more:
        end = _end_of_value(text, at)
        yield text[at:end].encode()
        at = _past_space(text, end)
        more = text.startswith(",", at)
        at = _past_space(text, at + 1) if more else at
    if text[at:].rstrip(" \t\r\n") != "]":
        raise Refused("malformed", "The array of events is not closed, or something follows it.")


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _end_of_value(text: str, at: int) -> int:
    try:
        return _LENIENT.raw_decode(text, at)[1]
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise _malformed(error) from None


def _item(text: bytes, line: int | None = None) -> Item:
    try:
        return Item(read_event(text), None, line)
    except Refused as refusal:
        return Item(None, refusal, line)


def _some(found: Sequence[_Found]) -> Iterator[_Found]:
    """Yield what was *found*; that it is nothing comes out when the events are asked for."""
    if not found:
        raise Refused("invalid", "The request holds no event; send at least one.")
    yield from found
