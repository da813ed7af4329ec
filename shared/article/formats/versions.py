"""An article as it stood, and two versions of it compared: pages for people, JSON for programs.

What is passed in was folded from entries that went through `shared.article.visible`; nothing
here knows what was taken back but by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.article.article import Article, Copy, Update
from shared.article.comparison import Comparison, Difference
from shared.article.dates import rfc3339
from shared.article.difference import Line
from shared.article.editing import corrections, key_events
from shared.article.formats import html, json
from shared.article.formats.citations import body_sources, cited_blocks
from shared.article.order import displayed

#: A page of more updates than this would be none; `.txt` and `.json` have all.
MAX_SHOWN = 200
_MASKED = Copy("", "", "<p><em>Taken back since then: what it said is not shown.</em></p>", 0)


@dataclass(frozen=True, slots=True)
class Place:
    """Version *number* of the *newest* there are, and when the engine took it in.

    *query* is what lets a browser on to the neighbours, such as ``?expires=…``, or empty.
    """

    number: int
    newest: int
    recorded: datetime
    query: str = ""


def version(article: Article, masked: frozenset[str]) -> dict[str, Any]:
    """Return the article as `.json` had it then; updates taken back since say `masked`."""
    document = json.article(article)
    for update in document["updates"]:
        if update["update_id"] in masked and update["status"] == "live":
            update["masked"] = True
    return document


def version_page(
    article: Article, masked: frozenset[str], place: Place, *, public_url: str = ""
) -> str:
    """Return the page of an article as it stood; `masked` are updates taken back since."""
    head = article.head
    shown = [_covered(each) if each.update_id in masked else each for each in _newest(article)]
    return html.rendered(
        "version.html",
        head,
        body_blocks=cited_blocks(article.body, body_sources(shown)),
        key_events=key_events(head, (each for each in shown if each.update_id not in masked)),
        updates=displayed(head, shown),
        corrections=corrections(shown),
        left_out=head.posted - len(shown),
        place=place,
        history=f"/articles/{head.slug}/versions",
        canonical=f"{public_url}/articles/{head.slug}",
    )


def comparison_page(found: Comparison, before: Place, after: Place, *, public_url: str = "") -> str:
    """Return the page that compares two versions of one article."""
    slug = found.after.slug
    return html.rendered(
        "comparison.html",
        found.after,
        found=found,
        before=before,
        after=after,
        history=f"/articles/{slug}/versions",
        canonical=f"{public_url}/articles/{slug}",
    )


def comparison(found: Comparison, before: Place, after: Place) -> dict[str, Any]:
    """Return what differs: each text as lines of pieces, `same`, `removed` or `added`."""
    document: dict[str, Any] = {
        "article": found.after.slug,
        "from": _side(found.before.chain, before),
        "to": _side(found.after.chain, after),
    }
    if found.headline:
        document["headline"] = _line(found.headline)
    document["facts"] = {fact.name: _line(fact.words) for fact in found.facts}
    document["body"] = _lines(found.body)
    document["updates"] = [_difference(each) for each in found.updates]
    return document | {"more": found.more}


def _side(chain: str, place: Place) -> dict[str, Any]:
    return {"version": place.number, "chain": chain, "recorded": rfc3339(place.recorded)}


def _difference(difference: Difference) -> dict[str, Any]:
    update = difference.update
    lines: Mapping[str, Sequence[Line]] = {
        "text": difference.text, "sources": difference.sources, "images": difference.images,
    }  # fmt: skip
    return {
        "update_id": update.update_id,
        "time": rfc3339(update.time),
        "acts": list(difference.acts),
        "notes": [json.note(note) for note in difference.notes],
        **{
            name: _line(words)
            for name in ("headline", "authors")
            if (words := getattr(difference, name))
        },
        **{name: _lines(found) for name, found in lines.items() if found},
    }


def _lines(lines: Iterable[Line]) -> list[list[dict[str, str]]]:
    return [_line(line) for line in lines]


def _line(line: Line) -> list[dict[str, str]]:
    return [{"kind": piece.kind, "text": piece.text} for piece in line]


def _newest(article: Article) -> list[Update]:
    """Return the newest updates, and the pinned one if it is older."""
    first = article.head.posted - MAX_SHOWN
    return [
        update
        for update in article.updates.values()
        if update.number > first or update.update_id == article.head.pinned
    ]


def _covered(update: Update) -> Update:
    return update if update.retracted else replace(update, copy=_MASKED, headline=None)
