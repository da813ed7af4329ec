"""Whether some records are an article's history: numbered, chained and about it.

A chain is followed by the fingerprints as they were recorded. They are never made anew from what
an event says: of a redacted one, what it said is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import orjson

from shared.article.stored import Link, link_of
from shared.contract.canonical import link
from shared.contract.copy_rules import MAX_SLUG, SLUG


class DamagedError(ValueError):
    """Records are no history; the message says where it breaks and quotes nothing."""


def checked(slug: str, records: Iterable[bytes]) -> Iterator[Link]:
    """Yield the place in the history of each of *records*, which begin at seq 1.

    Raises:
        DamagedError: one of them does not follow from the one before, or is of another article.
    """
    if len(slug) > MAX_SLUG or not re.fullmatch(SLUG, slug):
        raise DamagedError("it has no slug")
    chain = ""
    for seq, record in enumerate(records, start=1):
        try:
            its, subject = link_of(record), orjson.loads(record)["event"]["subject"]
        except (ValueError, LookupError, TypeError):
            raise DamagedError(f"event {seq} can't be read") from None
        if subject != slug:
            raise DamagedError(f"event {seq} is of another article")
        if its.seq != seq or its.chain != link(chain, seq, its.fingerprint):
            raise DamagedError(f"the chain breaks at event {seq}")
        chain = its.chain
        yield its
