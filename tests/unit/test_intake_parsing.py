"""From items to events: what a rejection says of an event that it does not take."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.core.bodies import Item
from services.ingest.judging import judge
from shared.contract.access import EVERYBODY, Rights
from shared.contract.errors import Refused
from shared.contract.events import Event
from shared.contract.receipts import Receipt
from tests.builders import Envelope, corrected, event, posted, published, redacted

CANARY = "Minister resigns"


def rejected(
    value: Envelope, line: int | None = None, rights: Rights = EVERYBODY
) -> dict[str, Any]:
    receipt = judge(Item(value, None, line), rights)
    assert isinstance(receipt, Receipt)
    return receipt.to_json()


def test_an_event_in_form_goes_on() -> None:
    assert isinstance(judge(Item(published()), EVERYBODY), Event)


def test_a_rejection_names_its_event_and_says_what_is_wrong() -> None:
    receipt = rejected(posted("u1", "", id="update-7"), line=3)

    problem = receipt.pop("problem")
    assert receipt == {
        "id": "update-7",
        "source": "/newsroom/cms",
        "article": "harbour-bridge",
        "status": "rejected",
        "line": 3,
    }
    assert (problem["code"], problem["status"]) == ("invalid", 422)
    assert [error["pointer"] for error in problem["errors"]] == ["/data/text"]


@pytest.mark.parametrize(
    ("wrong", "left"),
    [
        ({"id": CANARY}, {"source", "article"}),
        ({"source": CANARY}, {"id", "article"}),
        ({"subject": CANARY}, {"id", "source"}),
        ({"id": 5, "source": [], "subject": None}, set()),
    ],
)
def test_a_rejection_repeats_a_name_only_if_it_is_in_form(
    wrong: dict[str, Any], left: set[str]
) -> None:
    receipt = rejected(posted("u1", CANARY) | wrong)

    assert receipt.keys() & {"id", "source", "article"} == left
    assert CANARY not in str(receipt)


def test_what_is_no_event_is_named_by_its_line() -> None:
    receipt = judge(Item(None, Refused("malformed", "No."), 7), EVERYBODY)

    assert isinstance(receipt, Receipt)
    assert receipt.to_json().keys() == {"status", "line", "problem"}


def test_a_redaction_is_forbidden_without_keys() -> None:
    problem = rejected(redacted("u1"))["problem"]

    assert (problem["code"], problem["status"]) == ("forbidden", 403)
    assert "admin" in problem["detail"]


FERRY = Rights("Key 1f", ("publish",), articles=("ferry-*",))


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (posted("u1", ""), "forbidden"),
        (posted("u1", "") | {"id": "no id"}, "forbidden"),
        (posted("u1", "", slug="ferry-strike"), "invalid"),
        (corrected("u1", "", slug="ferry-strike"), "forbidden"),
        (posted("u1", slug="Ferry"), "invalid"),
        (posted("u1", source="no source"), "invalid"),
        (event("update.cancelled"), "invalid"),
        (corrected("u1") | {"subject": None}, "invalid"),
        ({}, "invalid"),
        (event("update.cancelled") | {f"A{n}": 1 for n in range(200)}, "invalid"),
    ],
)
def test_rights_come_before_form_as_far_as_they_can_be_told(event: Envelope, code: str) -> None:
    receipt = rejected(event, rights=FERRY)

    assert receipt["problem"]["code"] == code
    assert receipt.get("id") != "no id"
