"""The article as a page of plain text, to the byte as readers' tools expect it.

The labels are English whatever the article's locale; dates follow it. The page ends without a
line break. `update` depends on nothing but its arguments, so that a caller who holds many pages
can keep its result by the update's ref, and `assembled` puts a page together from kept parts.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.article.article import Article, Block, Body, Head, Note, Update
from shared.article.dates import cadence, date, date_time
from shared.article.editing import PROVENANCES
from shared.article.markdown import as_text
from shared.article.order import displayed

_END = "← Back to all articles\n\nLatest News"


def page(article: Article) -> str:
    """Return the whole page; of a killed article the one line that says so.

    Raises ValueError for an article that was never opened.
    """
    head = article.head
    if head.status == "killed":
        return withdrawn(head)
    updates = (
        update(each, head.timezone, head.locale, pinned=each.update_id == head.pinned)
        for each in displayed(head, article.updates.values())
    )
    return assembled(top(head, article.body), updates)


def assembled(top: str, updates: Iterable[str]) -> str:
    """Return the page made of its `top` and of `update`s, the page's first one first."""
    return "\n".join((top, *updates, _END))


def withdrawn(head: Head) -> str:
    """Return the page of a killed article."""
    return _noted("🚫 Withdrawn", head.withdrawal, head.timezone, head.locale)


def top(head: Head, body: Body) -> str:
    """Return all that stands above the updates, with the blank line before them."""
    said = "\n".join(facts(head))
    blocks = map(_block, body.blocks)
    return "\n\n".join((head.headline, said, f"# {head.headline}", *blocks)) + "\n"


def update(update: Update, zone: str, locale: str, *, pinned: bool) -> str:
    """Return the lines of one update."""
    pin = "📌 " if pinned else ""
    lines = [f"{pin}🔄 Updated: {date_time(update.time, zone, locale)}"]
    if update.copy is None:
        lines.append(_noted("🚫 Retracted", update.notes[-1], zone, locale))
        return "\n".join(lines)
    if update.copy.text:
        lines.append(update.copy.text)
    if update.notes:
        lines.append(_noted("✏️ Corrected", update.notes[-1], zone, locale))
    if said := PROVENANCES.get(update.provenance):
        lines.append(f"ℹ️ {said}")
    return "\n".join(lines)


def facts(head: Head) -> Iterable[str]:
    """Yield the lines on when, how much and how often; ValueError if it was never opened."""
    if head.published_at is None or head.updated_at is None:
        raise ValueError(f"{head.slug} was never opened, so it has no page")
    zone, locale = head.timezone, head.locale
    yield f"📅 Published: {date(head.published_at, zone, locale)}"
    yield f"🔄 Updated: {date_time(head.updated_at, zone, locale)}"
    yield f"📊 {head.update_count} update{'' if head.update_count == 1 else 's'}"
    yield f"⏱️ {head.reading_minutes} min read"
    if head.status == "closed":
        yield "🏁 Live updates have ended"
    elif head.cadence_seconds is not None:
        often = cadence(head.cadence_seconds)
        yield f"📱 This article updates automatically {often} with breaking developments"


def _block(block: Block) -> str:
    text = as_text(block)
    return text if block.teaser is None else f"{block.teaser}\n\n{text}"


def _noted(label: str, note: Note, zone: str, locale: str) -> str:
    return f"{label}: {date_time(note.time, zone, locale)}. {note.note}"
