"""Events and ledgers in one line, for every test.

Each builder returns an envelope as a publisher would send it. `ledger` numbers and chains
envelopes as an installation with an empty key would, and gives those without a time one, ten
minutes apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson

from shared.article.article import Article, Entry
from shared.article.dates import rfc3339
from shared.article.fold import replay
from shared.article.stored import load_entry
from shared.contract.canonical import fingerprint, link

SLUG = "harbour-bridge"
SOURCE = "/newsroom/cms"
OPENING = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

Envelope = dict[str, Any]

_serial = count(1)


def event(kind: str, **facts: Any) -> Envelope:
    """Return an envelope of *kind* (``update.posted``).

    *id*, *at* (its time), *slug* and *source* are the envelope's; the rest of *facts* is its data.
    """
    envelope = {
        "specversion": "1.0",
        "id": facts.pop("id", None) or f"e{next(_serial)}",
        "source": facts.pop("source", SOURCE),
        "type": f"writethru.{kind}",
        "subject": facts.pop("slug", SLUG),
    }
    if at := facts.pop("at", None):
        envelope["time"] = at
    return envelope | {"data": facts}


def published(
    headline: str = "Harbour bridge reopens", body: str = "It is open.", **facts: Any
) -> Envelope:
    return event("article.published", headline=headline, body=body, **facts)


def writethru(**facts: Any) -> Envelope:
    return event("article.writethru", **facts)


def closed(**facts: Any) -> Envelope:
    return event("article.closed", **facts)


def reopened(**facts: Any) -> Envelope:
    return event("article.reopened", **facts)


def killed(note: str = "Legal advice.", **facts: Any) -> Envelope:
    return event("article.killed", note=note, **facts)


def posted(update_id: str, text: str = "The first cars crossed.", **facts: Any) -> Envelope:
    return event("update.posted", update_id=update_id, text=text, **facts)


def numbered(count: int) -> list[dict[str, Any]]:
    """Return posts of the updates u1, u2, …"""
    return [posted(f"u{number}") for number in range(1, count + 1)]


def revised(update_id: str, **facts: Any) -> Envelope:
    return event("update.revised", update_id=update_id, **facts)


def corrected(
    update_id: str,
    text: str = "The first lorries crossed.",
    note: str = "They were lorries.",
    **facts: Any,
) -> Envelope:
    return event("update.corrected", update_id=update_id, text=text, note=note, **facts)


def retracted(update_id: str, note: str = "It did not happen.", **facts: Any) -> Envelope:
    return event("update.retracted", update_id=update_id, note=note, **facts)


def redacted(update_id: str, note: str = "A court has ordered it.", **facts: Any) -> Envelope:
    return event("update.redacted", update_id=update_id, note=note, **facts)


def pinned(update_id: str, **facts: Any) -> Envelope:
    return event("update.pinned", update_id=update_id, **facts)


def unpinned(update_id: str, **facts: Any) -> Envelope:
    return event("update.unpinned", update_id=update_id, **facts)


def records(*events: Envelope, key: bytes = b"") -> Iterator[bytes]:
    """Yield the ledger's elements for *events*, as append writes them."""
    chain = ""
    for seq, envelope in enumerate(events, start=1):
        timed = {"time": rfc3339(OPENING + timedelta(minutes=10 * (seq - 1)))} | envelope
        mark = fingerprint(key, envelope)
        chain = link(chain, seq, mark)
        yield orjson.dumps(
            {
                "seq": seq,
                "chain": chain,
                "fingerprint": mark,
                "recorded": int(OPENING.timestamp() * 1000) + seq,
                "clocked": "time" not in envelope,
                "event": timed,
            }
        )


def ledger(*events: Envelope, key: bytes = b"") -> list[Entry]:
    """Return *events* as the entries that a fold takes, numbered from 1."""
    return [load_entry(record) for record in records(*events, key=key)]


def article(*events: Envelope) -> Article:
    """Return the article that *events* give."""
    return replay(SLUG, ledger(*events))
