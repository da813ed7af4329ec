"""A ledger entry without the text that must not exist: what a redaction leaves in its place. Pure.

Id, source, type, time, fingerprint and chain stay, so the history still verifies. The event stays
one that folds. Every note on the update goes as well, for it may quote what was said.
"""

from __future__ import annotations

import orjson

from shared.article import visible

#: Before the event's own text, whatever that holds, nothing else in an entry looks like it.
_EVENT = b',"event":'


def names(record: bytes, update_id: str) -> bool:
    """Whether the event of ledger entry *record* is about the update."""
    if update_id.encode() not in record:
        return False  # cheaper than to parse it, and true of most
    try:
        return visible.update_of(orjson.loads(record)["event"]) == update_id
    except (ValueError, LookupError, TypeError, AttributeError):
        return False  # an entry that can't be read is none of anybody's


def redacted(record: bytes, by: int) -> bytes:
    """Return ledger entry *record* as event *by*, a redaction, leaves it."""
    head, _, _ = record.partition(_EVENT)
    event = visible.wordless(orjson.loads(record)["event"])
    mark = b"" if b',"redacted":' in head else b',"redacted":%d' % by
    return head + mark + _EVENT + orjson.dumps(event) + b"}"
