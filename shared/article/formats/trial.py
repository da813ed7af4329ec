"""A trial of a newsroom's templates: every page of a small coverage that has one of everything."""

from __future__ import annotations

import re
import traceback
from dataclasses import replace

from jinja2.exceptions import TemplateError

from shared.article.article import Article, Entry, Head
from shared.article.fold import replay
from shared.article.formats import html, open_page, whole
from shared.article.formats.dressing import MisfitError
from shared.contract.events import parse_event

_SOURCE = [{"n": 1, "url": "https://www.example.org/"}]
_ACTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("article.published", {"headline": "A headline", "body": "## A heading\n\nSome copy [1]."}),
    ("article.writethru", {"summary": "A summary.", "authors": ["A. Writer"], "note": "A note."}),
    ("update.posted", {"update_id": "a", "text": "Some copy [1].", "sources": _SOURCE}),
    ("update.posted", {"update_id": "b", "text": "More.", "headline": "More", "key_event": True}),
    ("update.posted", {"update_id": "c", "text": "Wrong.", "provenance": "automated"}),
    ("update.corrected", {"update_id": "b", "text": "Less.", "note": "It was less."}),
    ("update.retracted", {"update_id": "c", "note": "It was wrong."}),
    ("update.pinned", {"update_id": "a"}),
)
_PLACE = re.compile(r"^(?:.*/)?([^/]+\.html)$")


def try_on() -> None:
    """Make every page once.

    Raises:
        MisfitError: a template fails on one of them; says which, where, and why, in one line.
    """
    article = _article(*_ACTS)
    ended = _article(*_ACTS, ("article.closed", {}))
    killed = _article(*_ACTS, ("article.killed", {"note": "A reason."}))
    try:
        for each in (article, ended):
            _pages(each)
        html.killed_page(killed.head)
        html.killed_fragment(killed.head)
        html.error_page(404, "Not Found", "There is nothing at this address.")
        open_page.killed(killed.head)
        html.latest_page([article.head, ended.head], page=1, pages=2)
        html.latest_page([], page=1, pages=1)
    except MisfitError:
        raise
    except (TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise MisfitError(f"{_place(error)}: {said}") from None


def _pages(article: Article) -> None:
    head, updates = article.head, list(article.updates.values())
    html.article_page(head, article.body, updates, [_other(head)], marked=updates)
    many = replace(head, posted=head.posted + 100)
    html.article_page(many, article.body, updates, marked=updates)
    html.fragment(head, article.body, updates, marked=updates)
    html.updates_page(head, 1, updates)
    html.corrections_page(head, updates)
    whole.written(article, "atom", "https://live.example")
    beside = open_page.Beside(article.body, updates, updates)
    open_page.change(head, 0, [open_page.Taken("added", each) for each in updates], beside)


def _other(head: Head) -> Head:
    return replace(head, slug="another-article", headline="Another headline")


def _article(*acts: tuple[str, dict[str, object]]) -> Article:
    entries = []
    for seq, (kind, data) in enumerate(acts, start=1):
        event = parse_event(
            {
                "specversion": "1.0",
                "id": f"e{seq}",
                "source": "/trial",
                "type": f"writethru.{kind}",
                "subject": "an-article",
                "time": "2026-03-01T09:00:00Z",
                "data": data,
            }
        )
        entries.append(Entry(seq, "0" * 40, event))
    return replay("an-article", entries)


def _place(error: BaseException) -> str:
    """Return the template and line where *error* came up, as its author knows them."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if found := _PLACE.match(frame.filename):
            return f"{found[1]}, line {frame.lineno}"
    return "a template"
