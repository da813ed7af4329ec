"""Rights: which act needs what, and whose article and source an event is."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contract.access import EVERYBODY, INBOX_WRITERS, SCOPES, Rights
from shared.contract.acts import ACTS

NEEDS = {
    "writethru.update.corrected": "correct",
    "writethru.update.retracted": "correct",
    "writethru.article.killed": "kill",
    "writethru.update.redacted": "admin",
}


def key(*scopes: Any, **patterns: Any) -> Rights:
    return Rights("Key 1f", scopes, **patterns)


def refusal(rights: Rights, wire: str = "writethru.update.posted", **of: str) -> str | None:
    facts = {"subject": "election-2026", "source": "/newsroom/cms"} | of
    return rights.refusal_to_file(wire, facts["subject"], facts["source"])


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("wire", ACTS)
def test_an_act_is_for_the_scope_that_it_needs_and_for_admin(wire: str, scope: Any) -> None:
    needed = NEEDS.get(wire, "publish")

    said = refusal(key(scope), wire)

    if scope not in (needed, "admin"):
        assert said == f"Key 1f has no scope {needed}, which {wire} needs."
    else:
        assert said is None


@pytest.mark.parametrize(
    ("patterns", "subject", "may"),
    [
        (("election-*",), "election-2026", True),
        (("election-*",), "elections", False),
        (("ferry-strike", "election-*"), "election-2026", True),
        (("*",), "anything", True),
        ((), "anything", False),
        (("ferry-?",), "ferry-10", False),
        (("Ferry",), "ferry", False),
    ],
)
def test_a_key_is_for_the_articles_that_its_patterns_name(
    patterns: tuple[str, ...], subject: str, may: bool
) -> None:
    rights = key("publish", "read", articles=patterns)

    both = refusal(rights, subject=subject), rights.refusal_to_read(subject)

    expected = None if may else f"Key 1f is not for the article {subject}."
    assert both == (expected, expected)


@pytest.mark.parametrize(
    ("pattern", "source", "may"),
    [
        ("/newsroom/*", "/newsroom/cms", True),
        ("/newsroom/*", "/wire/cms", False),
        ("https://cms.example/*", "https://cms.example/desk/1", True),
    ],
)
def test_a_key_speaks_for_its_own_sources_only(pattern: str, source: str, may: bool) -> None:
    said = refusal(key("publish", sources=(pattern,)), source=source)

    assert said == (None if may else f"Key 1f is not for the source {source}.")


def test_reading_takes_the_scope_read() -> None:
    assert key("read").refusal_to_read("a") is None
    assert key("admin").refusal_to_read("a") is None
    assert key("publish").refusal_to_read("a") == (
        "Key 1f has no scope read, which reading events needs."
    )


def test_without_keys_everybody_may_do_everything_but_redact() -> None:
    refused = {wire for wire in ACTS if refusal(EVERYBODY, wire)}

    assert refused == {"writethru.update.redacted"}
    assert EVERYBODY.refusal_to_read("a") is None
    assert not EVERYBODY.has("admin")


def test_the_inbox_may_publish_and_correct_and_no_more() -> None:
    refused = {wire for wire in ACTS if refusal(INBOX_WRITERS, wire)}

    assert refused == {"writethru.article.killed", "writethru.update.redacted"}
