"""Reading articles as render has committed them: whole, a window, or what has changed.

Whatever is returned is the article at one version. State and pages are read in one step; the
refs on the pages name updates that never change, so they may be fetched afterwards, and kept. A
ref that is gone means that a commit came between, and the reading starts over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from redis.asyncio import Redis

from shared.article.article import Article, Body, Head, Mark, Update, page_of
from shared.article.order import displayed
from shared.article.placing import above, numbers_above
from shared.article.stored import load_body, load_update
from shared.contract.errors import Busy
from shared.runtime.forms import Forms
from shared.runtime.keys import ArticleKeys
from shared.runtime.lanes import Lanes
from shared.runtime.shelf import Shelves
from shared.runtime.since import Since, State, id_of, read_since, refs_on

#: A reader further behind than this loads the page instead.
MAX_CHANGES = 200
#: More fields than this in one command, and the engine's other clients would notice.
FIELDS_A_READ = 500
TRIES = 20


@dataclass(frozen=True, slots=True)
class Window:
    """Some of an article's *updates*, oldest first; a killed article has neither body nor any."""

    head: Head
    body: Body
    updates: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One update that a reader lacks, as it is now, and the id of the one it *follows*."""

    kind: Literal["added", "changed", "retracted"]
    follows: str | None
    update: Update


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reader lacks, top of the page first, to be applied in this order.

    *reset*: it can't be told, or is too much; the page has to be loaded. Nothing is told of a
    killed article but its head. *body* is None unless it changed. Nothing new: *head* is at the
    version that was asked about. *filed* is when the first event that the reader lacks was taken
    into the ledger, by our monotonic clock; None where that isn't known.
    """

    head: Head
    reset: bool = False
    body: Body | None = None
    changes: tuple[Change, ...] = ()
    filed: float | None = None


class Snapshots:
    """A reader of all articles, with a cache of the *cached* updates that were used last."""

    def __init__(
        self,
        redis: Redis,
        lanes: Lanes,
        cached: int = 10_000,
        shelves: Shelves | None = None,
    ) -> None:
        self.shelves = shelves or Shelves(None)
        self._redis = redis
        self._lanes = lanes
        self._forms = Forms(cached)
        self._cached = cached
        self._ends: dict[str, int] = {}

    async def read_head(self, slug: str) -> Head | None:
        """Return the article's head, killed ones' too; None where nothing has been rendered."""
        facts: Any = await self._redis.hmget(self._keys(slug).state, State._fields)
        return State(*facts).read()

    async def read_article(self, slug: str) -> Article | None:
        """Return the whole article, as `read_window` does."""
        window = await self.read_window(slug, lambda head: range(1, head.posted + 1))
        if window is None:
            return None
        updates = {update.update_id: update for update in window.updates}
        return Article(window.head, window.body, updates)

    async def read_window(
        self, slug: str, numbers: Callable[[Head], Sequence[int]]
    ) -> Window | None:
        """Return head, body and the updates that *numbers* picks by the head (`newest_numbers`).

        None where nothing has been rendered.

        Raises:
            Busy: the article changes faster than it can be read.
        """
        keys = self._keys(slug)
        head = await self.read_head(slug)
        for _ in range(TRIES):
            if head is None:
                return None
            if head.status == "killed":
                return Window(head, Body(), ())
            wanted = numbers(head)
            state, refs = await self._read_refs(keys, wanted)
            if state.archived:
                return await (await self._shelved(keys, state.archived)).read_window(slug, numbers)
            head = state.read()
            if head is None or list(numbers(head)) != list(wanted):
                continue
            body = await self._read_body(keys, head, state)
            forms = [refs[number] for number in wanted]
            updates = await self.read_forms(keys, forms, state.refolded)
            if body is not None and updates is not None:
                return Window(head, body, tuple(updates))
        raise moving(slug)

    async def read_update(self, slug: str, update_id: str) -> Update | None:
        """Return one update as it is now; None where there is none of that id."""
        keys = self._keys(slug)
        for _ in range(TRIES):
            async with self._redis.pipeline(transaction=True) as step:
                step.hget(keys.updates, update_id)
                step.hget(keys.state, "refolded")
                ref, refolded = await step.execute()
            if ref is None:
                archived: Any = await self._redis.hget(keys.state, "archived")
                shelved = await self._shelved(keys, archived) if archived else None
                return await shelved.read_update(slug, update_id) if shelved else None
            if updates := await self.read_forms(keys, [ref.decode()], refolded):
                return updates[0]
        raise moving(slug)

    async def changed_since(
        self, slug: str, since: Mark, limit: int = MAX_CHANGES
    ) -> Changes | None:
        """Return what a reader of *since* lacks; None where nothing has been rendered.

        Without a chain in *since*, its version is taken to be of our history.

        Raises:
            Busy: the article changes faster than it can be read.
        """
        keys = self._keys(slug)
        for _ in range(TRIES):
            end = self._ends.get(slug, 1)
            found = await read_since(self._redis, keys, since, limit, end)
            state, filed = found.state, found.filed
            if state.archived:
                shelved = await self._shelved(keys, state.archived)
                return await shelved.changed_since(slug, since, limit)
            head = state.read()
            if head is None:
                return None
            if head.status == "killed":
                return Changes(head, filed=filed)
            if not (found.ours and since.version <= head.version):
                return Changes(head, reset=True)
            if len(found.ids) > limit or 0 < since.version < head.arranged:
                return Changes(head, reset=True, filed=filed)
            if head.version == since.version:
                return Changes(head)
            self._remember_end(head)
            if changes := await self._read_changes(keys, head, found, since.version):
                return replace(changes, filed=filed)
        raise moving(slug)

    async def _shelved(self, keys: ArticleKeys, name: bytes) -> Snapshots:
        """Return a reader of the article of *keys* as it is in the archive's file *name*."""
        return Snapshots(await self.shelves.client(keys, name), self._lanes)

    def _keys(self, slug: str) -> ArticleKeys:
        return self._lanes.of(slug).article(slug)

    async def _read_refs(
        self, keys: ArticleKeys, numbers: Iterable[int]
    ) -> tuple[State, dict[int, str]]:
        """Read, in one step, the state and the refs on the pages that hold *numbers*."""
        pages = sorted({page_of(number) for number in numbers})
        async with self._redis.pipeline(transaction=True) as step:
            step.hmget(keys.state, State._fields)
            if pages:
                step.hmget(keys.pages, [str(page) for page in pages])
            state, *rest = await step.execute()
        return State(*state), refs_on(pages, rest[0] if rest else ())

    async def _read_body(self, keys: ArticleKeys, head: Head, state: State) -> Body | None:
        """Return the body that *state* names; None if it was superseded meanwhile."""
        if not head.body.version or state.body is None:
            return Body()
        data: Any = await self._redis.hget(keys.updates, state.body)
        return load_body(data) if data else None

    async def read_forms(
        self, keys: ArticleKeys, refs: Sequence[str], refolded: bytes | None
    ) -> list[Update] | None:
        """Return the forms named *refs*, in that order; None if one was superseded meanwhile.

        A ref names other bytes only once the article was *refolded*, as the state has it.
        """
        places = {ref: (keys.slug, ref, refolded or b"") for ref in refs}
        found = {ref: self._forms.find(place) for ref, place in places.items()}
        missing = [ref for ref, update in found.items() if update is None]
        for chunk in _chunks(missing):
            values: Any = await self._redis.hmget(keys.updates, chunk)
            for ref, data in zip(chunk, values, strict=True):
                if data is None:
                    return None
                found[ref] = self._forms.keep(places[ref], load_update(data))
        return [update for ref in refs if (update := found[ref])]

    async def _read_changes(
        self, keys: ArticleKeys, head: Head, found: Since, since: int
    ) -> Changes | None:
        """Read the changes at what was *found*; None if the article has moved on meanwhile."""
        at_hand = found.refs_of_ids()
        refs: Any = at_hand
        if refs is None:
            values: Any = await self._redis.hmget(keys.updates, found.ids)
            refs = [ref and ref.decode() for ref in values]
            if None in refs:
                return None
        updates = await self.read_forms(keys, refs, found.state.refolded)
        new_body = head.body.version > since
        body = await self._read_body(keys, head, found.state) if new_body else None
        if updates is None or (new_body and body is None):
            return None
        around: Mapping[int, str] = found.refs
        near = {number for each in updates for number in numbers_above(head, each.number)}
        if at_hand is None or not near <= around.keys():
            now, around = await self._read_refs(keys, near)
            if now != found.state:
                return None
        names = {number: id_of(ref) for number, ref in around.items()}
        changes = tuple(
            Change(_kind(update, since), above(head, update, names), update)
            for update in displayed(head, updates)
        )
        return Changes(head, body=body, changes=changes)

    def _remember_end(self, head: Head) -> None:
        """Remember where *head* ends, which is where it changes next."""
        self._ends.pop(head.slug, None)
        self._ends[head.slug] = max(1, head.page_count)
        if len(self._ends) > self._cached:
            del self._ends[next(iter(self._ends))]


def _kind(update: Update, since: int) -> Literal["added", "changed", "retracted"]:
    if update.retracted:  # also one that the reader never saw: there is no news in it
        return "retracted"
    return "added" if update.posted > since else "changed"


def _chunks(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    return (refs[at : at + FIELDS_A_READ] for at in range(0, len(refs), FIELDS_A_READ))


def moving(slug: str) -> Busy:
    """Return what is said of an article that is never read at one version."""
    return Busy(f"The article {slug} changes faster than it can be read; try again.")
