"""What may stand in a string: the types that every field of an event is made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.article.normal import nfc

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_SLUG = 128
ABSOLUTE = re.compile(r"https?://[^\s<>\"'\\^`{|}]+")
UPDATE_ID = r"^[A-Za-z0-9._~-]{1,64}$"

#: Controls but tab, line feed and carriage return; surrogates and what no XML document may
#: hold, which are no text at all.
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE_BREAKS = re.compile("[\n\r\t\u2028\u2029]")


def is_text(value: str) -> bool:
    """Whether *value* is free of what no field may hold."""
    return not _NO_TEXT.search(value)


def _text(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value  # a search and NFC would find nothing
    if found := _NO_TEXT.search(value):
        raise ValueError(f"holds U+{ord(found[0]):04X}, which is no text; remove it")
    return nfc(value)


def _one_line(value: str) -> str:
    value = _text(value)
    if _LINE_BREAKS.search(value):
        raise ValueError("must be one line; remove its line breaks and tabs")
    return _said(value)


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; say something or leave it out")
    return value


def _absolute(value: str) -> str:
    if not ABSOLUTE.fullmatch(value):
        raise ValueError("must be an absolute http or https address")
    return value


Text = Annotated[str, AfterValidator(_text)]
Copy = Annotated[str, AfterValidator(_text), AfterValidator(_said)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Address = Annotated[str, Field(max_length=2048), AfterValidator(_absolute)]
Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=MAX_SLUG)]
UpdateId = Annotated[str, StringConstraints(pattern=UPDATE_ID)]
