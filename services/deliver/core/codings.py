"""Content codings: which one a reader gets, and the bytes in it. Pure.

Levels were chosen on the reference page (docs/performance.md): beyond them a page gets a few bytes
smaller for many times the work, and a page that changes every minute is compressed every minute.
What never changes is worth the highest.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable, Mapping

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Smaller bodies are hardly smaller in a coding.
LEAST_BYTES = 256

#: By name, the smallest first: what we prefer where a reader has no preference.
_CODERS: Mapping[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "br": (
        lambda data: brotli.compress(data, quality=5),
        lambda data: brotli.compress(data, quality=11),
    ),
    "zstd": (lambda data: zstd.compress(data, 6), lambda data: zstd.compress(data, 19)),
    "gzip": (
        lambda data: gzip.compress(data, 6, mtime=0),
        lambda data: gzip.compress(data, 9, mtime=0),
    ),
}
CODINGS = tuple(_CODERS)

_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)


def by_accept_encoding(header: str) -> str | None:
    """Return the coding that *header* (RFC 9110, 12.5.3) prefers; None for the bytes as they are.

    Those are also what one gets who excludes everything: it is better than nothing.
    """
    weights = dict(_weights(header))
    others = weights.get("*", 0.0)
    # Not named, the bytes as they are may be sent, but are wanted less than what was named.
    plain = weights.get("identity", weights.get("*", 0.0001))
    ranked = [(weights.get(each, others), -place, each) for place, each in enumerate(CODINGS)]
    weight, _, best = max(ranked)
    return best if weight > 0 and weight >= plain else None


def _weights(header: str) -> list[tuple[str, float]]:
    """Return each coding with its weight; what can't be read is left out."""
    found = []
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        said = [part[2:] for part in parameters if part.startswith("q=")]
        weight = said[0] if said else "1"
        if _NAME.fullmatch(name) and _QUALITY.fullmatch(weight):
            found.append((name, float(weight)))
    return found


def coded(data: bytes, coding: str, *, for_good: bool = False) -> bytes:
    """Return *data* in *coding*, one of `CODINGS`; *for_good*: as small as can be, however long."""
    return _CODERS[coding][for_good](data)
