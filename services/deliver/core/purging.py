"""What caches are told to let go of, and in which order. Pure.

A change makes what has some keys old. What was taken back is let go of first, and a second time a
little later: an answer that was on its way to a cache while it was told comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

Cache = Literal["fastly", "varnish", "cloudflare"]

#: How long after the first time what was taken back is purged again.
AGAIN_MILLISECONDS = 2_000
#: With more keys than this waiting, no more changes are read.
MOST_WAITING = 10_000
#: No header gets longer; servers take 8 KiB in all.
_HEADER_BYTES = 4_096

_TAKEN_BACK = (".killed", ".retracted", ".redacted", ".corrected")


@dataclass(frozen=True, slots=True)
class Call:
    """One request that has a cache let go of *keys*."""

    keys: tuple[str, ...]
    method: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Old:
    """A key of what is old *since* then; *again*: the cache was told of it once, and is so twice.

    Times are Unix milliseconds.
    """

    key: str
    since: int
    urgent: bool
    again: int | None = None


@dataclass(slots=True)
class Waiting:
    """What a cache is still to be told of, each key once."""

    _keys: dict[str, Old] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether no more should be added for now."""
        return len(self._keys) >= MOST_WAITING

    @property
    def untold(self) -> bool:
        """Whether there is something of which the cache was never told."""
        return any(each.again is None for each in self._keys.values())

    @property
    def since(self) -> int | None:
        """Since when the oldest is old that the cache was never told of."""
        return min((each.since for each in self._keys.values() if each.again is None), default=None)

    def add(self, *olds: Old) -> None:
        """Have the cache told of *olds*, too."""
        for old in olds:
            known = self._keys.get(old.key)
            if known and known.again is None:
                since = min(known.since, old.since)
                old = replace(old, since=since, urgent=known.urgent or old.urgent)
            elif known:
                old = replace(old, urgent=True)
            self._keys[old.key] = old

    def take(self, now: int, most: int) -> list[Old]:
        """Take out up to *most* to tell of now, those of what was taken back first."""
        ready = [each for each in self._keys.values() if (each.again or 0) <= now]
        first = sorted(ready, key=lambda each: (not each.urgent, each.since, each.key))[:most]
        for each in first:
            del self._keys[each.key]
        return first

    def told(self, olds: Iterable[Old], now: int) -> None:
        """Have the cache told again of those of *olds* that were taken back."""
        for old in olds:
            if old.urgent and old.again is None and old.key not in self._keys:
                self._keys[old.key] = replace(old, again=now + AGAIN_MILLISECONDS)


def taken_back(kinds: Iterable[str]) -> bool:
    """Whether one of *kinds*, types of events, took something back that readers may have seen."""
    return any(kind.endswith(_TAKEN_BACK) for kind in kinds)


def most_keys(cache: Cache) -> int:
    """Return how many keys one call may have."""
    return {"fastly": 256, "varnish": 256, "cloudflare": 30}[cache]


def call(cache: Cache, keys: Sequence[str], token: str | None) -> Call:
    """Return the request that has *cache* let go of *keys*, or of the first of them."""
    fitting = keys if cache == "cloudflare" else _fitting(keys)
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    match cache:
        case "fastly":
            named = {"surrogate-key": " ".join(fitting), "accept": "application/json"}
            return Call(tuple(fitting), "POST", named | ({"fastly-key": token} if token else {}))
        case "varnish":
            return Call(tuple(fitting), "PURGE", {"xkey-purge": " ".join(fitting)} | bearer)
        case "cloudflare":
            said = {"content-type": "application/json"} | bearer
            return Call(tuple(fitting), "POST", said, orjson.dumps({"tags": list(fitting)}))


def _fitting(keys: Sequence[str]) -> Sequence[str]:
    """Return as many of *keys* as one header takes."""
    size = 0
    for place, key in enumerate(keys):
        size += len(key) + 1
        if size > _HEADER_BYTES:
            return keys[:place]
    return keys
