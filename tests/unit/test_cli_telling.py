"""What `watch` says about a change, from the state before and after it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.cli.telling import Told, after, known, one_line, thin, told
from shared.article import article as model
from shared.article.formats import json
from tests import builders
from tests.builders import (
    SLUG,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    reopened,
    retracted,
    revised,
    unpinned,
    writethru,
)  # fmt: skip

OPENING = [published("The ferry is late", "It has not left."), posted("u1", "It left at nine.")]


def change(before: model.Article, now: model.Article) -> dict[str, Any]:
    """The change that deliver would tell a reader of *before*."""
    differing = [
        update for update_id, update in now.updates.items()
        if before.updates.get(update_id) != update
    ]  # fmt: skip
    body = {"body": json.body(now.body)} if before.body != now.body else {}
    return {
        "article": SLUG,
        "from": before.head.version,
        "to": now.head.version,
        "head": json.head(now.head),
        "changes": [{"update": json.update(update)} for update in differing],
        **body,
    }


def lines(earlier: list[Any], *acts: Any) -> list[Told]:
    before, now = builders.article(*earlier), builders.article(*earlier, *acts)
    return list(told(known(json.article(before)), change(before, now)))


@pytest.mark.parametrize(
    ("earlier", "act", "line"),
    [
        ([], posted("u2", "It has\n\narrived."), Told("posted", "u2", "It has arrived.")),
        ([], corrected("u1", note="It was ten."), Told("corrected", "u1", "It was ten.")),
        ([], revised("u1", text="It left at 9."), Told("revised", "u1", "It left at 9.")),
        ([], retracted("u1", "It did not."), Told("retracted", "u1", "It did not.")),
        ([], pinned("u1"), Told("pinned", "u1", "")),
        ([pinned("u1")], unpinned("u1"), Told("unpinned", "u1", "")),
        ([], closed(note="Good night."), Told("closed", SLUG, "Good night.")),
        ([closed()], reopened(), Told("reopened", SLUG, "")),
        ([], writethru(body="It has left."), Told("writethru", SLUG, "The ferry is late")),
        ([], writethru(headline="The ferry left"), Told("writethru", SLUG, "The ferry left")),
    ],
)
def test_each_act_is_told_by_what_it_changed(earlier, act, line):
    assert lines([*OPENING, *earlier], act) == [line]


def test_acts_that_arrive_together_are_told_one_by_one():
    acts = [line.act for line in lines(OPENING, posted("u2"), corrected("u1"), closed())]

    assert sorted(acts) == ["closed", "corrected", "posted"]


def test_pinning_another_tells_of_no_revision():
    assert [line.act for line in lines([*OPENING, posted("u2"), pinned("u1")], pinned("u2"))] == [
        "pinned"
    ]


def test_what_was_told_is_known_afterwards():
    before, now = builders.article(*OPENING), builders.article(*OPENING, corrected("u1"))
    seen = known(json.article(before))

    seen = after(seen, change(before, now))

    assert list(told(seen, change(now, builders.article(*OPENING, corrected("u1"))))) == []


@pytest.mark.parametrize(
    ("earlier", "acts", "act"),
    [
        (None, OPENING[:1], "published"),
        (OPENING, [posted("u2")], "posted"),
        (OPENING, [retracted("u1")], "retracted"),
        (OPENING, [closed()], "closed"),
        (OPENING, [corrected("u1")], "changed"),
        (OPENING, [killed("Legal advice.")], "killed"),
    ],
)
def test_the_stream_of_all_articles_tells_as_much_as_the_heads_do(earlier, acts, act):
    before = builders.article(*(earlier or []))
    head = json.head(before.head) if earlier else None

    line = thin(head, change(before, builders.article(*(earlier or []), *acts)))

    assert (line.act, line.about) == (act, SLUG)


def test_copy_can_not_steer_a_terminal():
    line = one_line("Bridge\x1b[2J closed\r\nuntil \x9b31m noon " + "x" * 500)

    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line)
    assert len(line) == 120
