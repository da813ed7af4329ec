"""What a subscriber is told of a ledger: pure, for any ledger and any place in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deliver.core.messages import (
    CHANGED,
    Message,
    Step,
    message_id,
    next_message,
    reset,
)
from services.deliver.core.subscription import KINDS, NEVER_COLLAPSED, Subscription, within
from shared.article.article import Mark

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
ALL = Subscription("s1", "https://a.example/", SINCE, (), "")

ledgers = st.lists(st.sampled_from((*KINDS, None)), max_size=30)


def steps(kinds: Sequence[str | None], after: int = 0) -> list[Step]:
    return [
        Step(seq, f"{seq:040x}", kind) for seq, kind in enumerate(kinds, start=1) if seq > after
    ]


def told(kinds: Sequence[str | None], subscription: Subscription = ALL) -> list[Message]:
    """Return all messages that a subscriber gets who takes one after the other."""
    at, messages = Mark(), []
    while message := next_message(at, steps(kinds, at.version), subscription.wants):
        messages.append(message)
        at = message.end
    return messages


@given(ledgers)
def test_messages_join_and_cover_all_that_was_filed(kinds: list[str | None]) -> None:
    messages = told(kinds)
    ends = [0, *(each.to for each in messages)]
    assert [each.start.version for each in messages] == ends[:-1]
    assert ends[-1] == len(kinds)


@given(ledgers)
def test_each_correction_retraction_redaction_and_kill_is_told_by_itself(
    kinds: list[str | None],
) -> None:
    kept = [(seq, kind) for seq, kind in enumerate(kinds, start=1) if kind in NEVER_COLLAPSED]
    assert [(each.to, each.kind) for each in told(kinds) if each.kind != CHANGED] == kept


@given(ledgers)
def test_what_else_waits_is_told_in_as_few_messages_as_there_can_be(
    kinds: list[str | None],
) -> None:
    names = [each.kind for each in told(kinds)]
    assert (CHANGED, CHANGED) not in list(pairwise(names))


@given(ledgers, st.sets(st.sampled_from(KINDS), min_size=1))
def test_nobody_is_told_what_was_not_asked_for_but_a_kill(
    kinds: list[str | None], asked: set[str]
) -> None:
    some = replace(ALL, kinds=tuple(asked))
    for message in told(kinds, some):
        assert any(some.wants(kind) for kind in message.kinds)
    wanted = [seq for seq, kind in enumerate(kinds, start=1) if some.wants(kind)]
    last = [each.to for each in told(kinds, some)]
    assert (last[-1] if last else None) == (wanted[-1] if wanted else None)


def test_a_message_has_one_id_whoever_works_it_out_and_another_for_all_else() -> None:
    message = told(["writethru.article.published"])[0]
    name = message_id("s1", "harbour", message, 0)
    assert name == message_id("s1", "harbour", replace(message, kinds=()), 0)
    others = {
        message_id("s2", "harbour", message, 0),
        message_id("s1", "ferry", message, 0),
        message_id("s1", "harbour", message, 1),
        message_id("s1", "harbour", replace(message, chain="f" * 40), 0),
        message_id("s1", "harbour", replace(message, start=Mark(1)), 0),
        message_id("s1", "harbour", reset(Mark(), Step(1, message.chain, None)), 0),
    }
    assert len(others | {name}) == 7


@pytest.mark.parametrize(
    ("asked", "allowed", "beyond"),
    [
        (("election-2026",), ("election-*",), None),
        (("election-*",), ("election-*", "x"), None),
        (("election-2*",), ("election-*",), None),
        (("anything",), ("*",), None),
        (("*",), ("election-*",), "*"),
        (("elect*",), ("election-*",), "elect*"),
        (("ferry",), ("election-*",), "ferry"),
        (("a?",), ("a*",), "a?"),
        (("a[bc]",), ("a[bc]",), None),
        (("a-*",), ("a[-]*",), "a-*"),
    ],
)
def test_a_key_bounds_the_patterns_that_it_may_subscribe_to(
    asked: tuple[str, ...], allowed: tuple[str, ...], beyond: str | None
) -> None:
    assert within(asked, allowed) == beyond


def test_an_article_is_one_of_those_asked_for_by_section_and_by_any_of_the_tags() -> None:
    some = replace(ALL, sections=("city",), tags=("ferry", "harbour"))
    assert some.is_about("city", ["harbour", "fog"])
    assert not some.is_about("city", ["fog"])
    assert not some.is_about(None, ["harbour"])
    assert ALL.is_about(None, [])
