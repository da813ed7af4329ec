"""The limits of an event's fields: each at its edge, and one beyond."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contract.errors import InvalidEvent
from shared.contract.events import MAX_LINES, check_extent, parse_event
from tests.builders import Envelope, article, corrected, posted, published, revised

URL = "https://e.example/"
SOURCE = {"n": 8, "url": URL, "title": "A port"}
IMAGE = {"url": URL, "alt": "A bridge"}


def address(size: int) -> str:
    return URL + "a" * (size - len(URL))


def lines(many: int, end: str = "\n") -> str:
    return end.join("a" * many)


def filed(envelope: Envelope) -> None:
    check_extent(parse_event(envelope))


def with_envelope(name: str, value: Any) -> Envelope:
    return posted("u1") | {name: value}


#: Field → how an event with as much of it is made, the most that there may be.
LIMITS: dict[str, tuple[Any, int]] = {
    "/id": (lambda size: with_envelope("id", "a" * size), 128),
    "/source": (lambda size: with_envelope("source", "a" * size), 256),
    "/subject": (lambda size: with_envelope("subject", "a" * size), 128),
    "/dataschema": (lambda size: with_envelope("dataschema", "a" * size), 2_048),
    "/data/update_id": (lambda size: posted("a" * size), 64),
    "/data/body": (lambda size: published(body=lines(size)), MAX_LINES),
    "/data/text": (lambda size: posted("u1", lines(size, "\r\n")), MAX_LINES),
    "/data/summary": (lambda size: published(summary=lines(size, "\r")), MAX_LINES),
    "/data/tags": (lambda size: published(tags=["a"] * size), 100),
    "/data/authors": (lambda size: posted("u1", authors=["a"] * size), 100),
    "/data/sources": (lambda size: corrected("u1", sources=[SOURCE] * size), 200),
    "/data/images": (lambda size: revised("u1", images=[IMAGE] * size), 50),
    "/data/sources/0/n": (lambda size: posted("u1", sources=[SOURCE | {"n": size}]), 9_999),
    "/data/sources/0/url": (
        lambda size: posted("u1", sources=[SOURCE | {"url": address(size)}]), 2_048,
    ),
    "/data/images/0/url": (
        lambda size: posted("u1", images=[IMAGE | {"url": address(size)}]), 2_048,
    ),
    "/data/canonical_url": (lambda size: published(canonical_url=address(size)), 2_048),
    "/data/image": (lambda size: published(image=address(size)), 2_048),
    "/data/urgency": (lambda size: posted("u1", urgency=size), 9),
    "/data/cadence_seconds": (lambda size: published(cadence_seconds=size), 86_400),
    "/baseversion": (lambda size: with_envelope("baseversion", size), 2**53 - 1),
}  # fmt: skip


@pytest.mark.parametrize(("pointer", "made", "most"), [(k, *v) for k, v in LIMITS.items()])
def test_a_field_holds_as_much_as_it_may_and_not_one_more(pointer, made, most):
    filed(made(most))

    with pytest.raises(InvalidEvent) as refused:
        filed(made(most + 1))

    assert [each.pointer for each in refused.value.errors] == [pointer]
    assert str(most)[:3] in refused.value.errors[0].detail.replace(",", "") or pointer in (
        "/subject", "/data/update_id",
    )  # fmt: skip


def test_what_is_beyond_is_told_with_its_remedy():
    with pytest.raises(InvalidEvent) as refused:
        filed(posted("u1", lines(MAX_LINES + 1)))

    assert refused.value.errors[0].detail == "has more than 10,000 lines; file the rest apart"


def test_a_text_that_is_in_a_ledger_stays_readable_however_many_lines_it_has():
    text = lines(MAX_LINES + 1)
    kept = article(published(), posted("u1", text)).updates["u1"].copy
    assert kept
    assert kept.source == text
