"""Where a reader is: a version of one article, or a place in the outboxes of all lanes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.article.article import Mark

_MARK = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9a-f]{12}))?")
_PLACE = re.compile(r"([0-9a-f]{1,16})\.([0-9a-f]{1,16})")

#: A stream entry's id as numbers, so that places compare as the engine compares them.
Place = tuple[int, int]
START: Place = (0, 0)


def parse_mark(text: str) -> Mark | None:
    """Read ``<version>`` or ``<version>.<chain12>``; None if it is neither."""
    found = _MARK.fullmatch(text)
    return Mark(int(found[1]), found[2] or "") if found else None


def mark_id(mark: Mark) -> str:
    """Return *mark* as `parse_mark` reads it."""
    return f"{mark.version}.{mark.chain12}"


def parse_place(entry_id: bytes) -> Place:
    """Read the engine's ``<milliseconds>-<number>``."""
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def entry_id(place: Place) -> str:
    """Return *place* as the engine writes it."""
    return f"{place[0]}-{place[1]}"


@dataclass(frozen=True, slots=True)
class Outbox:
    """What the engine says of one stream: its last id ever, entries ever added, entries held.

    *holds* tells whether the entry at the place in question is still there.
    """

    last: Place = START
    added: int = 0
    length: int = 0
    holds: bool = False


def unbroken(place: Place, outbox: Outbox) -> bool:
    """Whether all that came after *place* can still be read from *outbox*.

    It can't where the entry at *place* is gone: trimmed, lost in a failover, flushed. An outbox
    that has had nothing since is whole, even when all of it was trimmed.
    """
    if place == outbox.last:
        return True
    if place == START:
        return outbox.added == outbox.length
    return outbox.holds


def cursor(tags: Sequence[str], places: Mapping[str, Place]) -> str:
    """Return the places in all lanes as one word, to be given back to `parse_cursor`."""
    parts = (f"{places[tag][0]:x}.{places[tag][1]:x}" for tag in tags)
    return "-".join((_installation(tags), *parts))


def parse_cursor(tags: Sequence[str], text: str) -> dict[str, Place] | None:
    """Return the place in each lane; None if *text* is not a cursor of an installation like it."""
    installation, *parts = text.split("-")
    found = [_PLACE.fullmatch(part) for part in parts]
    if installation != _installation(tags) or len(found) != len(tags):
        return None
    places = [(int(each[1], 16), int(each[2], 16)) for each in found if each]
    return dict(zip(tags, places, strict=True)) if len(places) == len(tags) else None


def _installation(tags: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(tags).encode()).hexdigest()[:8]
