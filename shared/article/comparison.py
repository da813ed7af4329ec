"""What differs between an article as it stood at two versions: for people, word by word. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.article.article import Article, Body, Head, Note, Update
from shared.article.difference import Effort, Line, differs, lines, words
from shared.article.markdown import as_text
from shared.article.order import displayed
from shared.contract.acts import Image

#: More changed updates than this are counted, not shown.
MAX_UPDATES = 200


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the head that differs, such as `summary`."""

    name: str
    words: Line


@dataclass(frozen=True, slots=True)
class Difference:
    """An update that differs; *acts* are the last words of what was done to it.

    *notes* are those that came between. Of an update that was retracted, no copy is told.
    """

    update: Update
    acts: tuple[str, ...]
    notes: tuple[Note, ...] = ()
    headline: Line = ()
    authors: Line = ()
    text: tuple[Line, ...] = ()
    sources: tuple[Line, ...] = ()
    images: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is told: only what differs. *more* is the number of changed updates left out."""

    before: Head
    after: Head
    headline: Line
    facts: tuple[Fact, ...]
    body: tuple[Line, ...]
    updates: tuple[Difference, ...]
    more: int

    @property
    def nothing(self) -> bool:
        """Whether a reader would see no difference."""
        return not (self.headline or self.facts or self.body or self.updates)


def compare(before: Article, after: Article) -> Comparison:
    """Compare *after* with *before*, an earlier version of the same article."""
    effort = Effort()
    headline = words(before.head.headline, after.head.headline, effort)
    body = lines(_copy_of(before.body), _copy_of(after.body), effort)
    changed = list(_changed(before, after))
    return Comparison(
        before.head,
        after.head,
        headline if differs([headline]) else (),
        tuple(_facts(before.head, after.head, effort)),
        body if differs(body) else (),
        tuple(_difference(before, after, each, effort) for each in changed[:MAX_UPDATES]),
        max(0, len(changed) - MAX_UPDATES),
    )


def _copy_of(body: Body) -> str:
    return "\n".join(map(as_text, body.blocks))


def _facts(before: Head, after: Head, effort: Effort) -> Iterator[Fact]:
    old = dict(_told(before))
    for name, value in _told(after):
        if old[name] != value:
            yield Fact(name, words(old[name], value, effort))


def _told(head: Head) -> Iterator[tuple[str, str]]:
    """Yield what a reader learns of an article beside headline and copy, as one line each."""
    yield "status", head.status
    yield "summary", head.summary or ""
    yield "authors", ", ".join(head.authors)
    yield "section", head.section or ""
    yield "tags", ", ".join(head.tags)
    yield "image", _picture(head.image) if isinstance(head.image, Image) else head.image or ""
    yield "note", head.note.note if head.note else ""
    yield "order", head.update_order
    yield "timezone", head.timezone
    yield "locale", head.locale


def _changed(before: Article, after: Article) -> Iterator[Update]:
    """Yield the updates that a reader of *before* would see differ, top of the page first."""
    found = [
        update
        for update in after.updates.values()
        if update.changed.version > before.head.version and any(_acts(before, after, update))
    ]
    yield from displayed(after.head, found)


def _acts(before: Article, after: Article, update: Update) -> Iterator[str]:
    old = before.updates.get(update.update_id)
    if old is None:
        yield "posted"
    if update.retracted:
        if old is None or not old.retracted:
            yield "retracted"
    elif len(update.notes) > len(old.notes if old else ()):
        yield "corrected"
    elif old is not None and _shown(old) != _shown(update):
        yield "revised"
    yield from _moves(before.head, after.head, update)


def _moves(before: Head, after: Head, update: Update) -> Iterator[str]:
    was, is_now = (head.pinned == update.update_id for head in (before, after))
    if was != is_now:
        yield "pinned" if is_now else "unpinned"


def _shown(update: Update) -> tuple[object, ...]:
    copy = update.copy
    return (
        copy and copy.html, update.headline, update.authors, update.sources, update.images,
        update.key_event,
    )  # fmt: skip


def _difference(before: Article, after: Article, update: Update, effort: Effort) -> Difference:
    acts = tuple(_acts(before, after, update))
    old = before.updates.get(update.update_id)
    notes = update.notes[len(old.notes) if old else 0 :]
    if update.copy is None:
        return Difference(update, acts, notes or update.notes[-1:])
    return Difference(
        update,
        acts,
        notes,
        words(old.headline or "" if old else "", update.headline or "", effort),
        words(", ".join(old.authors) if old else "", ", ".join(update.authors), effort),
        lines(old.copy.text if old and old.copy else "", update.copy.text, effort),
        lines(_sources(old), _sources(update), effort),
        lines(_images(old), _images(update), effort),
    )


def _sources(update: Update | None) -> str:
    found = update.sources if update else ()
    return "\n".join(f"[{each.n}] {each.title or each.url}" for each in found)


def _images(update: Update | None) -> str:
    return "\n".join(map(_picture, update.images if update else ()))


def _picture(image: Image) -> str:
    return f"{image.alt} ({image.credit})" if image.credit else image.alt
