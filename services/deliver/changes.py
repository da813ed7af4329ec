"""What a reader of some version lacks: worked out once for all readers of that version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from services.deliver.core import frames
from services.deliver.core.cursors import mark_id
from services.deliver.kept import KeptAt
from services.deliver.reading import Reading
from services.deliver.standing import Standings
from shared.article.article import Head, Mark
from shared.article.formats import json
from shared.contract.canonical import short
from shared.contract.errors import Refused
from shared.runtime.clock import monotonic
from shared.runtime.snapshots import Change, Changes, moving

KEPT_BYTES = 32 * 1024 * 1024
TRIES = 5

Kind = Literal["nothing", "change", "reset", "killed"]


@dataclass(frozen=True, slots=True)
class News:
    """What there is to tell: a *document* for who asked, a *frame* for streams.

    *to* is where a reader is who has been told. Of `nothing` there is neither, and after `killed`
    there is no more to come. *filed* is as `Changes` has it.
    """

    kind: Kind
    to: Mark
    head: Head
    document: bytes = b""
    frame: bytes = b""
    filed: float | None = None

    @property
    def mark(self) -> Mark:
        """Where a reader is who has been told."""
        return self.to

    @property
    def size(self) -> int:
        """Bytes, with some for the rest."""
        return len(self.document) + len(self.frame) + 2_048


class Writer(Protocol):
    """Writes changes for readers of one form."""

    async def __call__(self, since: Mark, changes: Changes) -> News | None:
        """Return *changes* for a reader at *since*; None if the article has moved on meanwhile."""
        ...


#: How a reader wants to be told: as facts, or as HTML for an open page.
Form = Literal["json", "html"]


class ChangeFeed:
    """Tells readers what they lack, as *write* has it; the answers given last are kept."""

    def __init__(self, reading: Reading, write: Writer, standings: Standings) -> None:
        self._reading = reading
        self._standings = standings
        self._write = write
        self._kept: KeptAt[News] = KeptAt(KEPT_BYTES, "changes")

    async def since(self, slug: str, since: Mark) -> News:
        """Return what a reader at *since* lacks.

        Raises:
            Refused: there is no such article.
            Busy: it can't be read at the moment.
        """
        standing, asked = self._standings.of(slug), monotonic()
        stand = await self._reading.stand(slug)
        standing.read(stand, asked)
        if stand is None:
            raise unknown(slug)
        news = await self._kept.at(stand, (slug, since), lambda: self.fresh(slug, since))
        standing.showed(news.mark)
        return news

    async def fresh(self, slug: str, since: Mark) -> News:
        """Return the same without a look at what is kept; raises as `since`."""
        for _ in range(TRIES):
            async with self._reading.patience():
                changes = await self._reading.snapshots.changed_since(slug, since)
            if changes is None or changes.head.status == "unpublished":
                raise unknown(slug)
            if (news := await self._write(since, changes)) is not None:
                return news
        raise moving(slug)


Feeds = Mapping[Form, ChangeFeed]


def unknown(slug: str) -> Refused:
    """Return what is said of an article that is not there."""
    return Refused("unknown-article", f"There is no article {slug}.")


async def as_facts(since: Mark, changes: Changes) -> News:
    """Write *changes* as facts, for programs."""
    head = changes.head
    if head.status == "killed":
        return told("killed", changes, json.killed(head))
    if not changes.reset and head.version == since.version:
        return told("nothing", changes)
    return told("reset" if changes.reset else "change", changes, _document(since, changes))


def told(kind: Kind, changes: Changes, document: dict[str, Any] | None = None) -> News:
    """Return *changes* as news; on a stream a reset only says where it goes on from."""
    head = changes.head
    to = Mark(head.version, short(head.chain))
    if document is None:
        return News(kind, to, head)
    data = said = json.dumps(document)
    if kind == "reset":
        said = json.dumps({"article": head.slug, "to": head.version, "chain": head.chain})
    return News(kind, to, head, data, frames.event(kind, said, mark_id(to)), changes.filed)


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
