"""What an open page is told: the parts that a change has changed, and no others."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.deliver.core import frames
from shared.article.article import Article
from shared.article.fold import fold, named
from shared.article.formats import json, open_page
from shared.article.formats.open_page import Beside, Taken, lists_changed
from tests.builders import (
    SLUG,
    article,
    closed,
    corrected,
    killed,
    ledger,
    pinned,
    posted,
    published,
    retracted,
    revised,
    writethru,
)

COUNTS = {"updated", "count", "reading"}
TITLE = {"headline", "summary", "byline", "promise", "note"}
SOURCES = [{"n": 8, "url": "https://example.org/8"}]
OPENING = (
    published(body="Known [8].\n\nSince [9]."), posted("u1", "[8]", sources=SOURCES), posted("u2"),
    posted("u3", key_event=True),
)  # fmt: skip


def told(*acts: dict[str, Any], opening: tuple[dict[str, Any], ...] = OPENING) -> dict[str, Any]:
    """Return what a page that had taken *opening* is told of *acts*."""
    before, after = article(*opening), article(*opening, *acts)
    entries = ledger(*opening, *acts)[len(opening) :]
    known = {
        name: before.updates[name] for name in named(entries, before.head) & before.updates.keys()
    }
    changed = fold(before.head, before.body, known, entries).changed.values()
    taken = [Taken(_kind(before, each.update_id), each) for each in changed]
    since = before.head.version
    beside = Beside(after.body, list(after.updates.values()), ())
    return open_page.change(
        after.head, since, taken, beside if lists_changed(after.head, since) else None
    )


def _kind(before: Article, update_id: str) -> str:
    return "changed" if update_id in before.updates else "added"


@pytest.mark.parametrize(
    ("act", "more"),
    [
        (posted("u4"), set()),
        (posted("u4", sources=SOURCES), set()),
        (posted("u4", sources=[{"n": 7, "url": "https://example.org/"}]), set()),
        (posted("u4", sources=[{"n": 9, "url": "https://example.org/"}]), {"body"}),
        (posted("u4", key_event=True), {"key-events"}),
        (corrected("u2"), {"corrections"}),
        (retracted("u3"), {"key-events", "corrections", "body"}),
        (retracted("u1"), {"corrections", "body"}),
        (revised("u2", text="Tidied."), set()),
        (revised("u3", headline="A turn"), {"key-events"}),
        (revised("u1", sources=[]), {"body"}),
        (pinned("u2"), set()),
        (writethru(body="New."), {"body"}),
        (writethru(headline="New"), TITLE),
        (closed(), TITLE),
    ],
)
def test_only_those_parts_come_along_that_may_be_others(act, more):
    assert told(act)["parts"].keys() == COUNTS | more


def test_a_body_without_citations_does_not_come_along_with_sources():
    opening = (published(body="Known."), posted("u1"))
    assert told(posted("u2", sources=SOURCES), opening=opening)["parts"].keys() == COUNTS


def test_what_became_of_an_update_comes_as_its_html_and_that_of_its_sources():
    change = told(posted("u4", "Cars <cross> [8].", sources=SOURCES))
    [update] = change["updates"]
    assert update["kind"] == "added"
    assert update["html"].startswith('<article class="update" id="u-u4" data-number="4">')
    assert "Cars &lt;cross&gt;" in update["html"]
    assert update["sources"].startswith('<li id="from-u4" data-number="4">')
    assert (change["to"], change["state"], change["first"]) == (5, "live", 1)
    assert re.fullmatch("[0-9a-f]{12}", change["at"])


def test_a_post_costs_a_reader_at_most_a_third_more_than_its_html():
    text = "The port authority said that the pier had not moved, and that ferries go on. " * 10
    change = told(posted("u4", text))

    frame = frames.event("change", json.dumps(change), f"{change['to']}.{change['at']}")

    assert len(frame) <= 1.3 * len(change["updates"][0]["html"].encode())


def test_a_kill_is_told_with_what_stands_in_its_place():
    head = article(published(), killed("Legal advice.")).head
    facts = open_page.killed(head)
    assert facts["status"] == "killed"
    assert facts["article"] == SLUG
    assert "Withdrawn" in facts["html"]
    assert "Legal advice." in facts["html"]
