"""Which acts an article's state allows, and what people are told about the others."""

from __future__ import annotations

import pytest

from services.ingest.core.filing import Filing, Verdict
from services.ingest.core.legality import Facts, explain, judge
from shared.contract.canonical import fingerprint, link
from shared.contract.events import parse_event
from shared.runtime.problems import PROBLEMS
from tests import builders
from tests.builders import SLUG, Envelope, posted, published

ABSENT = Facts()
LIVE = Facts(3, "live")
CLOSED = Facts(3, "closed")
KILLED = Facts(3, "killed")
WITH_LIVE = Facts(3, "live", "live")
CLOSED_WITH_LIVE = Facts(3, "closed", "live")
WITH_RETRACTED = Facts(3, "live", "retracted")

OPENS = published()
ON_ARTICLE = [
    builders.writethru(section="S"),
    builders.closed(),
    builders.reopened(),
    builders.killed(),
]
POSTS = posted("u1")
AMENDS = [
    builders.corrected("u1"),
    builders.revised("u1", text="T"),
    builders.retracted("u1"),
    builders.pinned("u1"),
]
ALWAYS = [builders.unpinned("u1"), builders.redacted("u1")]
ALL = [OPENS, *ON_ARTICLE, POSTS, *AMENDS, *ALWAYS]


def verdicts(facts: Facts, *envelopes: Envelope) -> set[str | None]:
    return {judge(facts, parse_event(envelope)) for envelope in envelopes}


def test_only_an_opening_opens_an_article() -> None:
    assert verdicts(ABSENT, OPENS) == {None}
    assert verdicts(ABSENT, *ON_ARTICLE, POSTS, *AMENDS, *ALWAYS) == {"unknown-article"}


def test_an_article_is_opened_once() -> None:
    assert verdicts(LIVE, OPENS) == verdicts(CLOSED, OPENS) == {"article-exists"}


def test_an_open_article_takes_every_act_on_itself() -> None:
    assert verdicts(LIVE, *ON_ARTICLE, POSTS) == {None}


def test_a_closed_article_refuses_posts_and_nothing_else() -> None:
    assert verdicts(CLOSED, POSTS) == {"article-closed"}
    assert verdicts(CLOSED_WITH_LIVE, POSTS) == {"article-closed"}
    assert verdicts(CLOSED, *ON_ARTICLE) == {None}
    assert verdicts(CLOSED_WITH_LIVE, *AMENDS, *ALWAYS) == {None}


def test_a_killed_article_refuses_everything() -> None:
    assert verdicts(KILLED, *ALL) == {"article-killed"}


def test_an_update_is_posted_once() -> None:
    assert verdicts(WITH_LIVE, POSTS) == verdicts(WITH_RETRACTED, POSTS) == {"update-exists"}


def test_an_update_that_was_never_posted_can_not_be_changed() -> None:
    assert verdicts(LIVE, *AMENDS, *ALWAYS) == {"unknown-update"}


def test_a_retracted_update_can_be_unpinned_and_redacted_only() -> None:
    assert verdicts(WITH_RETRACTED, *AMENDS) == {"update-retracted"}
    assert verdicts(WITH_RETRACTED, *ALWAYS) == {None}


@pytest.mark.parametrize(("base", "code"), [(3, None), (2, "stale"), (4, "stale"), (0, "stale")])
def test_an_event_with_a_baseversion_is_for_that_version_only(base: int, code: str | None) -> None:
    assert verdicts(LIVE, builders.closed() | {"baseversion": base}) == {code}


def test_an_article_that_is_opened_has_the_version_0() -> None:
    assert verdicts(ABSENT, OPENS | {"baseversion": 0}) == {None}
    assert verdicts(ABSENT, OPENS | {"baseversion": 1}) == {"stale"}


def test_the_article_is_judged_before_the_update_and_that_before_the_baseversion() -> None:
    stale = {"baseversion": 1}

    assert verdicts(ABSENT, POSTS | stale) == {"unknown-article"}
    assert verdicts(KILLED, POSTS | stale) == {"article-killed"}
    assert verdicts(WITH_LIVE, POSTS | stale) == {"update-exists"}
    assert verdicts(LIVE, AMENDS[0] | stale) == {"unknown-update"}


JUDGED = [
    "unknown-article",
    "article-exists",
    "article-closed",
    "article-killed",
    "unknown-update",
    "update-exists",
    "update-retracted",
    "stale",
    "id-conflict",
]


@pytest.mark.parametrize("code", JUDGED)
def test_every_refusal_names_the_article_and_says_what_to_do(code: str) -> None:
    said = explain(code, parse_event(posted("u1") | {"baseversion": 2}), 3)

    assert f'"{SLUG}"' in said
    assert ('"u1"' in said) == ("update" in code)
    assert "; " in said
    assert code in PROBLEMS


def test_a_stale_event_is_told_both_versions() -> None:
    said = explain("stale", parse_event(posted("u1") | {"baseversion": 2}), 3)

    assert "seq 3" in said
    assert "baseversion 2" in said


def filed(*envelopes: Envelope) -> list[Verdict]:
    filing = Filing()
    return [filing.take(parse_event(each), fingerprint(b"", each)) for each in envelopes]


def test_what_is_filed_is_numbered_and_chained_without_gaps() -> None:
    envelopes = [published(), builders.retracted("u1"), posted("u1")]

    first, refused, second = filed(*envelopes)

    assert first == Verdict("accepted", 1, link("", 1, fingerprint(b"", envelopes[0])))
    assert refused == Verdict("unknown-update", 1)
    assert second == Verdict(
        "accepted", 2, link(first.chain or "", 2, fingerprint(b"", envelopes[2]))
    )


def test_an_event_is_filed_once_even_where_it_would_be_refused_now() -> None:
    opening, kill = published(), builders.killed()

    first, last, *again = filed(opening, kill, opening, kill)

    assert again == [
        Verdict("duplicate", first.seq, first.chain),
        Verdict("duplicate", last.seq, last.chain),
    ]


def test_an_id_is_taken_for_good_but_only_at_its_source() -> None:
    opening = published(id="a")
    other = posted("u1", id="a")

    verdicts = filed(opening, other, other | {"source": "/elsewhere"})

    assert [verdict.code for verdict in verdicts] == ["accepted", "id-conflict", "accepted"]
    assert verdicts[1].seq == 1
