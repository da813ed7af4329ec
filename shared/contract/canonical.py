"""Names for content: an event's fingerprint, and the chain that names a history.

Both are public: whoever holds a ledger and the installation's key can recompute them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import rfc8785

#: What the fingerprint covers. Extensions and defaults don't count, so a gateway that adds a
#: trace header on the second try has still sent the same event.
FINGERPRINTED = ("subject", "source", "id", "type", "data", "time")


def fingerprint(key: bytes, envelope: Mapping[str, Any]) -> str:
    """Return the HMAC-SHA-256 in hex of *envelope*'s canonical JSON (RFC 8785).

    *envelope* is the event as sent: when it came without ``time``, neither may this.
    """
    facts = {name: envelope[name] for name in FINGERPRINTED if name in envelope}
    return hmac.new(key, rfc8785.dumps(facts), hashlib.sha256).hexdigest()


def link(previous: str, seq: int, fingerprint: str) -> str:
    """Return the chain after event *seq*; *previous* is empty for the first.

    SHA-1 because the engine's scripts have it; the keyed fingerprint keeps publishers from
    steering it.
    """
    text = f"{previous}:{seq}:{fingerprint}"
    return hashlib.sha1(text.encode("ascii"), usedforsecurity=False).hexdigest()


def short(chain: str) -> str:
    """Return ``chain12``, the form that SSE ids, ETags and cursors carry."""
    return chain[:12]
