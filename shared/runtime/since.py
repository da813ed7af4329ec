"""What an article's readers of some version lack, as one step at the engine finds it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from shared.article.article import PAGE_SIZE, Head, Mark
from shared.article.stored import load_head
from shared.runtime.keys import ArticleKeys
from shared.runtime.records import filed_at, has_chain


class State(NamedTuple):
    """What is stored of a head, to be compared before it is read: equal is the same moment."""

    head: bytes | None
    body: bytes | None
    archived: bytes | None = None
    refolded: bytes | None = None

    def read(self) -> Head | None:
        return load_head(self.head) if self.head else None


@dataclass(frozen=True, slots=True)
class Since:
    """The *state*, and the *ids* of what changed after a version.

    *refs* are those by number that were read with it: as a rule they name all that changed, which
    is near the end. *ours*: the version is of our history. *filed* is when the event after it was.
    """

    state: State
    ids: Sequence[str]
    refs: Mapping[int, str]
    ours: bool
    filed: float | None

    def refs_of_ids(self) -> list[str] | None:
        """Return the refs of *ids*; None if there is one that was not read."""
        known = {id_of(ref): ref for ref in self.refs.values()}
        found = [ref for each in self.ids if (ref := known.get(each))]
        return found if len(found) == len(self.ids) else None


async def read_since(redis: Redis, keys: ArticleKeys, since: Mark, limit: int, end: int) -> Since:
    """Read what changed after *since*; *end* is the last page, as far as one knows."""
    pages = (end, end + 1)
    async with redis.pipeline(transaction=True) as step:
        step.hmget(keys.state, State._fields)
        step.zrangebyscore(keys.changed, f"({since.version}", "+inf", 0, limit + 1)
        step.hmget(keys.pages, [str(page) for page in pages])
        step.lindex(keys.ledger, since.version)
        step.time()
        if since.version and since.chain12:
            step.lindex(keys.ledger, since.version - 1)
        state, ids, lines, following, time, *record = await step.execute()
    ours = not record or has_chain(record[0], since.chain12)
    names = [name.decode() for name in ids]
    return Since(State(*state), names, refs_on(pages, lines), ours, filed_at(following, time))


def refs_on(pages: Iterable[int], lines: Iterable[bytes | None]) -> dict[int, str]:
    """Return the refs by number that the *lines* of *pages* hold."""
    refs: dict[int, str] = {}
    for page, line in zip(pages, lines, strict=True):
        refs.update(_numbered(page, line))
    return refs


def id_of(ref: str) -> str:
    """Return the update that *ref* is a form of."""
    return ref.partition("@")[0]


def _numbered(page: int, line: bytes | None) -> Iterator[tuple[int, str]]:
    first = (page - 1) * PAGE_SIZE + 1
    return enumerate((line or b"").decode().split(), start=first)
