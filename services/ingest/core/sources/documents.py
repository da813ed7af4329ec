"""What all documents of sources have in common: limits, JSON, dates, addresses."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import orjson

MAX_DOCUMENT = 5 * 1024 * 1024
#: Each costs a parser some fifty microseconds, wherever it stands.
MAX_MARKS = 250_000
_LONGEST_DATE = 64
_YEARS = range(1970, 2101)


class Unreadable(ValueError):
    """What came is not what the source's kind says; a sentence for whoever named the source."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a source answered with: *url* is where it was in the end, *charset* what HTTP said."""

    body: bytes
    url: str
    charset: str | None = None

    @property
    def utf8(self) -> bytes:
        """The body in UTF-8, without a byte order mark, as far as its coding is told by HTTP."""
        for mark, name in _BYTE_ORDER_MARKS:
            if self.body.startswith(mark):
                return self.body.removeprefix(mark).decode(name, "replace").encode()
        try:
            known = codecs.lookup(self.charset).name if self.charset else "utf-8"
            if known == "utf-8":
                return self.body
            return self.body.decode(known, "replace").encode("utf-8", "replace")
        except (LookupError, UnicodeError, TypeError, ValueError):
            return self.body


_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def json_of(document: Document) -> Any:
    """Return the JSON value that *document* is. Raises Unreadable."""
    try:
        return orjson.loads(document.utf8)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(f"it is no JSON ({error.msg.partition(':')[0]}: {where})") from None


def items_of(value: Any, *names: str) -> Sequence[Mapping[str, Any]] | None:
    """Return the objects of the array at *names* in *value*; None where there is no array."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else None


def said(value: Mapping[str, Any], *names: str) -> str:
    """Return the first of the fields *names* that has words, or a number for an id; else none."""
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found.strip():
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return ""


def moment(value: object) -> datetime | None:
    """Return the time that *value* names, if it says in which zone, and is of these days."""
    if not isinstance(value, str) or len(value) > _LONGEST_DATE:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return found if found.tzinfo is not None and found.year in _YEARS else None
    return None


def people(names: Iterator[str]) -> tuple[str, ...]:
    """Return *names* of authors as an event holds them."""
    lines = (" ".join(name.split())[:200] for name in names)
    return tuple(dict.fromkeys(line for line in lines if line.isprintable() and line))[:20]


def base_of(document: Document, *candidates: object) -> str:
    """Return the address that relative links begin with: the first of *candidates* that is one."""
    for each in candidates:
        if isinstance(each, str) and each.strip():
            try:
                joined = urljoin(document.url, each.strip())
            except ValueError:
                continue
            if is_address(joined):
                return joined
    return document.url


def is_address(value: str) -> bool:
    return value.startswith(("http://", "https://")) and value.isprintable() and " " not in value
