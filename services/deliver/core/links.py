"""Links that open one article's history for some minutes, without a key in a header. Pure.

A link says until when, and on whose word: the key that asked for it. The signature covers both
and the article, so a link opens nothing else, but every version and comparison of that one, which
is what lets a reader go on from the page that it leads to.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

#: Seconds that a link holds, unless fewer are asked for.
LONGEST = 15 * 60

_NUMBER = re.compile(r"[1-9][0-9]{0,11}")
_KEY_ID = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Link:
    """A way into the history of *slug* on the word of key *key_id*, until *expires* (Unix time)."""

    slug: str
    key_id: str
    expires: int


def secret_of(installation_key: bytes) -> bytes:
    """Return the secret that signs links: its own, though it follows from the installation's."""
    return hmac.digest(installation_key, b"writethru: links into history", hashlib.sha256)


def reading_secret_of(installation_key: bytes) -> bytes:
    """Return the secret that signs links for readers; they open no history."""
    return hmac.digest(installation_key, b"writethru: links for readers", hashlib.sha256)


def query_of(secret: bytes, link: Link) -> str:
    """Return what makes an address into *link*, from its question mark on."""
    facts = {"expires": link.expires, "by": link.key_id, "signature": _signature(secret, link)}
    return f"?{urlencode(facts)}"


def link_of(secret: bytes, slug: str, query: Mapping[str, str]) -> Link | None:
    """Return the link to *slug* that *query* makes; None unless its signature is ours."""
    expires, key_id = query.get("expires", ""), query.get("by", "")
    if not (_NUMBER.fullmatch(expires) and _KEY_ID.fullmatch(key_id)):
        return None
    link = Link(slug, key_id, int(expires))
    given = query.get("signature", "").encode()
    return link if hmac.compare_digest(_signature(secret, link).encode(), given) else None


def _signature(secret: bytes, link: Link) -> str:
    signed = f"{link.slug}\n{link.key_id}\n{link.expires}".encode()
    return urlsafe_b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode().rstrip("=")
