"""What a reader of some version lacks: worked out once for all readers of that version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from services.deliver.core import frames
from services.deliver.core.cursors import mark_id
from services.deliver.kept import Kept
from services.deliver.reading import Reading
from shared.article.article import Head, Mark
from shared.article.formats import json
from shared.contract.canonical import short
from shared.contract.errors import Refused
from shared.runtime.snapshots import Change, Changes

KEPT_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class News:
    """What there is to tell: a *document* for who asked, a *frame* for streams.

    *to* is where a reader is who has been told. Of `nothing` there is neither, and after `killed`
    there is no more to come. *filed* is as `Changes` has it.
    """

    kind: Literal["nothing", "change", "reset", "killed"]
    to: Mark
    head: Head
    document: bytes = b""
    frame: bytes = b""
    filed: float | None = None

    @property
    def size(self) -> int:
        """Bytes, with some for the rest."""
        return len(self.document) + len(self.frame) + 2_048


class ChangeFeed:
    """Tells readers what they lack; the answers given last are kept."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._kept: Kept[News] = Kept(KEPT_BYTES, "changes")

    async def since(self, slug: str, since: Mark) -> News:
        """Return what a reader at *since* lacks.

        Raises:
            Refused: there is no such article.
            Busy: it can't be read at the moment.
        """
        stand = await self._reading.stand(slug)
        if stand is None:
            raise unknown(slug)
        return await self._kept.get((slug, since, stand), lambda: self._read(slug, since))

    async def _read(self, slug: str, since: Mark) -> News:
        async with self._reading.patience():
            changes = await self._reading.snapshots.changed_since(slug, since)
        if changes is None or changes.head.status == "unpublished":
            raise unknown(slug)
        return news(since, changes)


def unknown(slug: str) -> Refused:
    """Return what is said of an article that is not there."""
    return Refused("unknown-article", f"There is no article {slug}.")


def news(since: Mark, changes: Changes) -> News:
    """Write *changes* for a reader at *since*."""
    head = changes.head
    to = Mark(head.version, short(head.chain))
    if head.status == "killed":
        document = json.dumps(json.killed(head))
        frame = frames.event("killed", document, mark_id(to))
        return News("killed", to, head, document, frame, changes.filed)
    if changes.reset:
        place = {"article": head.slug, "to": head.version, "chain": head.chain}
        frame = frames.event("reset", json.dumps(place), mark_id(to))
        document = json.dumps(_document(since, changes))
        return News("reset", to, head, document, frame, changes.filed)
    if head.version == since.version:
        return News("nothing", to, head)
    document = json.dumps(_document(since, changes))
    frame = frames.event("change", document, mark_id(to))
    return News("change", to, head, document, frame, changes.filed)


def _document(since: Mark, changes: Changes) -> dict[str, Any]:
    head = changes.head
    document: dict[str, Any] = {
        "article": head.slug,
        "from": since.version,
        "to": head.version,
        "chain": head.chain,
        "reset": changes.reset,
        "head": json.head(head),
    }
    if changes.body is not None:
        document["body"] = json.body(changes.body)
    if not changes.reset:
        document["changes"] = [_change(each) for each in changes.changes]
    return document


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "after": change.follows,
        "update": json.update(change.update),
    }
