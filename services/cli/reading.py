"""Events out of files: one JSON event, a JSON array, or NDJSON, told apart by what is in them.

Each event keeps the bytes it was written in, so that numbers and spellings reach ingest as they
are, and its place, so that a complaint can name it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.cli.failure import Failure

STANDARD_INPUT = "-"
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Found:
    """One event as it stands in *file*, from *line* on; *text* is one line, meant to be JSON."""

    file: str
    line: int
    text: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.file}, line {self.line}"


def read(files: Iterable[str]) -> Iterator[Found]:
    """Yield the events of *files*, in order; ``-`` is standard input.

    An NDJSON line that is no JSON is yielded all the same: who judges events judges it too.

    Raises:
        Failure: a file can't be read, holds no events, or is an array that isn't JSON.
    """
    for file in files:
        name = "standard input" if file == STANDARD_INPUT else file
        text = _text(file, name)
        if not text.strip(_SPACE):
            raise Failure(f"{name} is empty; give it events as JSON, a JSON array or NDJSON")
        yield from _split(name, text)


def _text(file: str, name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Failure(f"{name}, line {line}: is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise Failure(f"{name} can't be read ({error.strerror}); check its name") from None


def _split(name: str, text: str) -> Iterator[Found]:
    start = len(text) - len(text.lstrip(_SPACE))
    if text[start] == "[":
        return _array(name, text, start + 1)
    if text[start] != "{":
        line = _line(text, start)
        raise Failure(f"{name}, line {line}: is no event; events are JSON objects")
    first, _, rest = text[start:].partition("\n")
    if rest.strip(_SPACE) and not _is_json(first) and _opens_document(text[start:]):
        return _document(name, text, start)
    return _lines(name, text)


def _lines(name: str, text: str) -> Iterator[Found]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip(_SPACE):
            yield Found(name, number, line.strip(_SPACE))


def _document(name: str, text: str, start: int) -> Iterator[Found]:
    end = _value(name, text, start)
    if text[end:].strip(_SPACE):
        raise _no_json(name, text, end, "something follows the event")
    yield Found(name, _line(text, start), _one_line(text[start:end]))


def _array(name: str, text: str, start: int) -> Iterator[Found]:
    line, counted = 1, 0
    at = _skip(text, start)
    while text[at : at + 1] != "]":
        end = _value(name, text, at)
        line, counted = line + text.count("\n", counted, at), at
        yield Found(name, line, _one_line(text[at:end]))
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _no_json(name, text, at, "a comma or ] is missing")
    if text[at + 1 :].strip(_SPACE):
        raise _no_json(name, text, _skip(text, at + 1), "something follows the array")


def _value(name: str, text: str, start: int) -> int:
    """Return the end of the JSON value at *start*."""
    try:
        return _DECODER.raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        raise _no_json(name, text, error.pos, error.msg) from None
    except RecursionError:
        raise _no_json(name, text, start, "nested too deep") from None


_DECODER = json.JSONDecoder()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _opens_document(text: str) -> bool:
    """Whether *text* goes on as JSON beyond its first line; else that line is at fault."""
    try:
        _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        return "\n" in text[: error.pos].rstrip(_SPACE)
    except RecursionError:
        return False
    return True


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at


def _one_line(text: str) -> str:
    """Join the lines of a JSON value; a line break in it can only stand between its tokens."""
    return text.replace("\r", " ").replace("\n", " ")


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _no_json(name: str, text: str, at: int, why: str) -> Failure:
    return Failure(f"{name}, line {_line(text, at)}: is not JSON ({why[:1].lower()}{why[1:]})")
