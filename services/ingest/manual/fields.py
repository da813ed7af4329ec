"""What each field of an event is for, in a line."""

from __future__ import annotations

from collections.abc import Mapping

ENVELOPE: Mapping[str, str] = {
    "specversion": "The version of CloudEvents.",
    "id": "Names the event, with source and subject, for as long as the article exists: sent again "
    "it does nothing.",
    "source": "The system that filed it, a URI reference.",
    "type": "What happened.",
    "subject": "The slug of the article.",
    "time": "When it happened; ingest's clock when it is left out.",
    "data": "What is said, by type. A name that is not listed is refused.",
    "datacontenttype": "A JSON type, or left out.",
    "dataschema": "The sender's own.",
    "baseversion": "The article's last seq as the sender knows it; refused as stale if it is "
    "another by now.",
}

DATA: Mapping[str, str] = {
    "headline": "One line.",
    "body": "The copy above the updates: Markdown. Raw HTML is text.",
    "published_at": "When the article was published; the event's time when it is left out.",
    "timezone": "An IANA zone; UTC when it is left out. The page writes times in it.",
    "locale": "A language tag; en-US when it is left out. The page writes times by it.",
    "cadence_seconds": "How often readers are told to expect news; 600 when it is left out, null "
    "for no promise.",
    "section": "One line.",
    "tags": "One line each.",
    "authors": "One line each.",
    "summary": "Plain text.",
    "image": "An image, or its address alone.",
    "canonical_url": "Where the article lives, if elsewhere.",
    "update_order": "How the page orders updates.",
    "embargo_until": "Nobody outside learns of it before; the receipt says held until then.",
    "checks": "Levels of the desk's checks for this article: an object of check and level. It lets "
    "nothing off that the key or the installation holds or refuses.",
    "pull": "Sources that ingest pulls at the article's cadence, eight at most; they replace those "
    "that came by an earlier event.",
    "note": "What readers are told about this act. One line.",
    "update_id": "The update; a new one is named after its event when this is left out.",
    "text": "Markdown. [8] points to the source with n 8. Raw HTML is text.",
    "sources": "What the text cites.",
    "images": "Pictures by address.",
    "key_event": "Whether it marks a turn of the story.",
    "urgency": "1, the highest, to 9.",
    "provenance": "Who wrote it.",
    "url": "An absolute http or https address.",
    "alt": "For those who can't see the picture.",
    "credit": "One line.",
    "n": "The number in the text.",
    "title": "One line.",
}

RECEIPT: Mapping[str, str] = {
    "id": "The event's.",
    "source": "The event's.",
    "article": "The event's subject.",
    "status": "accepted: stored. duplicate: known already, nothing done. held: stored, and "
    "released after its embargo or by an editor. rejected: see problem, nothing stored. unknown: "
    "may be stored; send it again with the same id.",
    "seq": "Its number in the article's ledger; of a duplicate, that of the first. "
    "What is held has none yet.",
    "held": "Of a duplicate: the first is still held.",
    "spiked": "Of a duplicate: the first was held, and taken out before its release.",
    "chain": "The hash that names the article's history up to it.",
    "durability": "The level at which it is kept: memory, fsync, replica or replica-fsync; "
    "unverified where the engine doesn't say whether it keeps fsync.",
    "findings": "What the desk's checks found, for an editor to look at; none in a duplicate.",
    "line": "Of NDJSON, the line that was no event.",
    "problem": "Why it was rejected, or is unknown.",
}

FINDING: Mapping[str, str] = {
    "check": "Which check found it.",
    "level": "What that means: warn, nothing but this; hold, an editor has to release the event; "
    "refuse, nothing was stored.",
    "detail": "What is odd, and what to do, for people.",
    "pointer": "Where in the event it is, a JSON pointer.",
    "span": "From which character of that field to before which: code points of its NFC form.",
    "n": "The number of a source.",
    "update_id": "The other update.",
    "likeness": "How alike the two are; 1 is the same.",
    "speakers": "Who is said to have said it, here and there.",
}
