"""Links into an article's history: nobody makes one but we, and it opens what it says."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from services.deliver.core.links import Link, link_of, query_of, secret_of

SECRET = secret_of(b"an installation")
LINK = Link("ferry-strike", "0a1b", 1_900_000_000)


def query(link: Link = LINK, secret: bytes = SECRET) -> dict[str, str]:
    return dict(parse_qsl(query_of(secret, link).removeprefix("?")))


def test_a_link_opens_what_it_was_made_for() -> None:
    assert link_of(SECRET, "ferry-strike", query()) == LINK


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expires", "1900000001"), ("expires", ""), ("expires", "x"), ("expires", "9" * 13),
        ("by", "0a1c"), ("by", ""), ("by", "0a1b\n1"), ("signature", ""), ("signature", "é"),
    ],
)  # fmt: skip
def test_a_link_that_was_changed_opens_nothing(name: str, value: str) -> None:
    assert link_of(SECRET, "ferry-strike", query() | {name: value}) is None
    without = {key: found for key, found in query().items() if key != name}
    assert link_of(SECRET, "ferry-strike", without) is None


def test_a_link_opens_no_other_article_and_no_other_installation() -> None:
    assert link_of(SECRET, "ferry-strik", query()) is None
    other = query(replace(LINK, slug="ferry"))
    assert link_of(SECRET, "ferry-strike", other) is None
    assert link_of(SECRET, "ferry-strike", query(secret=secret_of(b"another"))) is None
    assert secret_of(b"an installation") != b"an installation"
