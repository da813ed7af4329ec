"""What to write so that a fold becomes current: as much as has changed, and no more.

Bytes of updates and of the body go ahead of the commit, each under a ref that no other content
can have; the plan then makes those refs current. A killed article writes no bytes at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from services.render.core.marks import lines
from shared.article.article import PAGE_SIZE, Article, Body, Entry, Head, Mark, Update
from shared.article.fold import FOLD_REVISION, Folded
from shared.article.formats import json
from shared.article.punctual import promise_of
from shared.article.stored import body_ref, dump_body, dump_head, dump_update, update_ref
from shared.contract import acts
from shared.contract.canonical import short
from shared.contract.events import Event

Refs = tuple[str, ...]

BYTES_A_PORTION = 256 * 1024

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InconsistentError(Exception):
    """What is stored does not fit together; the article has to be folded anew."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the engine holds of an article, as far as it was read.

    *body* is the ref of the body, *pages* those pages that are at hand.
    """

    head: Head
    body: str | None = None
    pages: Mapping[int, Refs] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Writes:
    """A fold as bytes and names.

    *ahead* goes into `updates:<slug>` before the commit; *pages* become current with it, and the
    fields *superseded* go. *body* is None where it stays; *replace* says that all that was there
    is void; *force*, that it may be of a newer fold revision. *traceparent* goes into the
    outbox, if the events are in a trace; *was*, there too, says what section and tags were, if they
    are others now. *posted_before* counts the updates that there were. *failed* says why events
    could not be folded: of the new ones, or of all with *replace*.
    """

    head: Head
    ahead: Mapping[str, bytes] = field(default_factory=dict)
    body: str | None = None
    updates: tuple[Update, ...] = ()
    pages: Mapping[int, Refs] = field(default_factory=dict)
    superseded: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    replace: bool = False
    force: bool = False
    traceparent: str | None = None
    was: bytes = b""
    posted_before: int = 0
    failed: Mapping[int, str] = field(default_factory=dict)


def touched_pages(before: Head, folded: Folded) -> frozenset[int]:
    """Return the pages that hold changed updates, and exist."""
    pages = {update.page for update in folded.changed.values()}
    return frozenset(page for page in pages if page <= before.page_count)


def continuing(
    before: Stored, folded: Folded, refs: Mapping[str, str], entries: Sequence[Entry]
) -> Writes:
    """Return what the fold of *entries* onto *before* has to write.

    *before* must hold the `touched_pages`; *refs* the current ref of each changed update that
    had one.

    Raises:
        InconsistentError: a page does not hold what the head says.
    """
    if folded.head.status == "killed":
        return Writes(folded.head, kinds=_kinds(entries), failed=folded.failed)
    new_body = folded.head.body != before.head.body
    updates = tuple(sorted(folded.changed.values(), key=lambda update: update.number))
    old = [refs[update.update_id] for update in updates if update.update_id in refs]
    if new_body and before.body:
        old.append(before.body)
    return Writes(
        head=folded.head,
        ahead=_bytes(folded.head, folded.body if new_body else None, updates),
        body=body_ref(folded.head) if new_body else None,
        updates=updates,
        pages=_pages(before, updates),
        superseded=(*old, *_passed_over(folded.head, updates, entries)),
        kinds=_kinds(entries),
        was=_was(before.head, folded.head),
        posted_before=before.head.posted,
        failed=folded.failed,
    )


def replacing(
    article: Article, fields: Iterable[str], entries: Iterable[Entry], *, force: bool = False
) -> Writes:
    """Return what has to be written where nothing that is stored counts.

    *fields* are all that `updates:<slug>` holds; *entries* those that readers don't know yet.
    """
    if article.head.status == "killed":
        return Writes(article.head, kinds=_kinds(entries), replace=True, force=force)
    updates = tuple(article.updates.values())
    ahead = _bytes(article.head, article.body, updates)
    wanted = ahead.keys() | article.updates.keys()
    return Writes(
        head=article.head,
        ahead=ahead,
        body=body_ref(article.head),
        updates=updates,
        pages=_pages(Stored(Head(article.head.slug)), updates),
        superseded=tuple(name for name in fields if name not in wanted),
        kinds=_kinds(entries),
        replace=True,
        force=force,
    )


def remember(before: Stored, writes: Writes, pages: int) -> Stored:
    """Return what the engine holds after the commit, with at most *pages* pages at hand."""
    if writes.head.status == "killed":
        return Stored(writes.head)
    kept = {} if writes.replace else before.pages
    touched = sorted({**kept, **writes.pages}.items(), key=lambda item: item[0] in writes.pages)
    return Stored(writes.head, writes.body or before.body, dict(touched[-pages:]))


def plan(writes: Writes, group: str, acks: Iterable[tuple[str, int]]) -> bytes:
    """Return the plan that `commit.lua` carries out; *acks* are entries of *group* and seqs."""
    score = latest_score(writes.head)
    facts: dict[str, Any] = {
        "rev": FOLD_REVISION,
        "replace": writes.replace,
        "force": writes.force,
        "killed": writes.head.status == "killed",
        "kinds": ",".join(writes.kinds),
        "group": group,
        "updates": [
            (each.update_id, update_ref(each), each.changed.version, *_listed(each, writes))
            for each in writes.updates
        ],
        "superseded": writes.superseded,
        "pages": [(str(page), " ".join(refs)) for page, refs in writes.pages.items()],
        "quarantined": lines(writes.failed),
        "acks": list(acks),
    }
    if writes.body:
        facts["body"] = writes.body
    if writes.traceparent:
        facts["traceparent"] = writes.traceparent
    if writes.was:
        facts["was"] = writes.was.decode()
    if score is not None:
        facts["updated"] = str(score)
    if promise := promise_of(writes.head):
        facts |= {"due": _milliseconds(promise.due), "overdue": _milliseconds(promise.overdue)}
    return orjson.dumps(facts)


def _listed(update: Update, writes: Writes) -> tuple[int, int]:
    """Return where *update* stands among those noted and the key events.

    0 takes it out; below that it never was there, as nothing is said of it before this commit.
    """
    out = -1 if writes.replace or update.number > writes.posted_before else 0
    return update.noted or out, update.number if update.key_event else out


def latest_score(head: Head) -> int | None:
    """Return where the article stands in Latest News: when it was updated, in microseconds."""
    updated = head.updated_at
    return None if updated is None else (updated - _EPOCH) // timedelta(microseconds=1)


def _milliseconds(when: datetime) -> str:
    return str((when - _EPOCH) // timedelta(milliseconds=1))


def portions(ahead: Mapping[str, bytes]) -> Iterator[list[str | bytes]]:
    """Yield *ahead* as fields and values in turn, cut so that no command holds the engine up."""
    some: list[str | bytes] = []
    size = 0
    for ref, data in ahead.items():
        some += (ref, data)
        size += len(data)
        if size > BYTES_A_PORTION:
            yield some
            some, size = [], 0
    if some:
        yield some


def heads(writes: Writes) -> tuple[bytes, bytes]:
    """Return the head as it is stored, and as the outside sees it."""
    return dump_head(writes.head), json.dumps(json.head(writes.head))


def _was(before: Head, after: Head) -> bytes:
    """Say where readers by section or tag had the article, if they have it elsewhere now."""
    if not before.version or (before.section, before.tags) == (after.section, after.tags):
        return b""
    return json.dumps({"section": before.section, "tags": list(before.tags)})


def _bytes(head: Head, body: Body | None, updates: Iterable[Update]) -> dict[str, bytes]:
    ahead = {update_ref(update): dump_update(update) for update in updates}
    return ahead if body is None else {**ahead, body_ref(head): dump_body(body)}


def _pages(before: Stored, updates: Iterable[Update]) -> dict[int, Refs]:
    pages: dict[int, list[str]] = {}
    for update in updates:
        if update.page not in pages:
            pages[update.page] = list(before.pages.get(update.page, ()))
        _put(pages[update.page], update, is_new=update.number > before.head.posted)
    return {page: tuple(refs) for page, refs in pages.items()}


def _put(refs: list[str], update: Update, *, is_new: bool) -> None:
    place = (update.number - 1) % PAGE_SIZE
    if is_new and place == len(refs):
        refs.append(update_ref(update))
    elif not is_new and refs[place : place + 1] and _names(refs[place], update):
        refs[place] = update_ref(update)
    else:
        raise InconsistentError(f"page {update.page} is not as the head says")


def _names(ref: str, update: Update) -> bool:
    return ref.partition("@")[0] == update.update_id


def _passed_over(head: Head, updates: Iterable[Update], entries: Sequence[Entry]) -> Iterator[str]:
    """Name the forms between: a renderer that took fewer entries at once may have written them.

    If it died before its commit, nothing else would ever remove them, retracted copy included.
    """
    for entry in entries:
        mark = Mark(entry.seq, short(entry.chain))
        event = entry.event
        if event is None:
            continue
        if event.type.startswith("writethru.article.") and entry.seq < head.body.version:
            yield body_ref(replace(head, body=mark))
        for update in updates:
            if update.posted <= entry.seq < update.changed.version and _may_amend(event, update):
                yield update_ref(replace(update, changed=mark))


def _may_amend(event: Event, update: Update) -> bool:
    """Whether *event* names the update, or pins another in its place."""
    return event.update_id == update.update_id or isinstance(event.act, acts.Pinned)


def _kinds(entries: Iterable[Entry]) -> tuple[str, ...]:
    types = (entry.event.type for entry in entries if entry.event is not None)
    return tuple(dict.fromkeys(types))
