"""What is to be destroyed after a redaction, and where it is recognised. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import orjson

from shared.article import visible

#: What stands for an event that never was one of the article's.
MASK = b"[masked]"

#: A ledger entry that a redaction has masked, up to its event.
MASKED = re.compile(rb'\{"seq":([0-9]+),[^{}]*?"redacted":([0-9]+),"event":')


class Redaction:
    """One redaction of *slug*, from its own ledger entry *record*.

    *masked* is the seq of each event that was masked, and its envelope as it is now.
    """

    def __init__(self, slug: str, record: bytes) -> None:
        self.slug = slug
        self.update_id: str = orjson.loads(record)["event"]["data"]["update_id"]
        self.masked: dict[int, bytes] = {}

    def look(self, records: Iterable[bytes]) -> None:
        """Take note of what is masked among *records*, entries of the ledger."""
        for record in records:
            if found := MASKED.match(record):
                self.masked[int(found[1])] = record[found.end() : -1]


def forms_of(update_id: str, names: Iterable[bytes]) -> list[bytes]:
    """Return those of *names*, fields of `updates:<slug>`, that are forms of the update."""
    begins = f"{update_id}@".encode()
    return [name for name in names if name.startswith(begins)]


def found_in(redaction: Redaction, fields: Mapping[bytes, bytes]) -> bytes | None:
    """Return what has to stand as `data` in an entry of a stream; None where it may stay.

    An entry of a lane names its article and seq; in `writethru:refused`, only its event does.
    """
    data = fields.get(b"data", b"")
    if b"article" in fields:
        ours = fields[b"article"].decode() == redaction.slug
        masked = redaction.masked.get(int(fields.get(b"seq", b"0"))) if ours else None
        return masked if masked != data else None
    return MASK if _is_about(redaction, data) else None


def _is_about(redaction: Redaction, data: bytes) -> bool:
    if redaction.update_id.encode() not in data:
        return False
    try:
        event = orjson.loads(data)
        ours = event["subject"] == redaction.slug
        return bool(ours and visible.update_of(event) == redaction.update_id)
    except (ValueError, LookupError, TypeError, AttributeError):
        # What can't be read may still hold the text, and names the update.
        return redaction.slug.encode() in data
