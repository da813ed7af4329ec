"""What the campaign is made of: a plan that can be had again, and a checker that finds faults."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from tests.builders import Envelope
from tests.chaos.checker import Client, _ledger, read_journal
from tests.chaos.desk import Journal
from tests.chaos.plan import WEIGHTS, by_count, endless
from tests.chaos.stories import COLD_SHARE, story


def test_a_seed_fixes_the_plan_and_the_engine_is_killed_as_often_as_asked_for():
    plan = by_count(7, faults=100, engine_kills=12)

    assert plan == by_count(7, faults=100, engine_kills=12) != by_count(8, 100, 12)
    assert len(plan) == 100
    assert [fault.kind for fault in plan].count("kill engine") == 12


def test_by_time_each_kind_comes_up_once_before_any_comes_again():
    kinds = {fault.kind for fault in islice(endless(1), len(WEIGHTS) + 1)}

    assert kinds == {*WEIGHTS, "kill engine"}


def test_some_articles_have_one_event_ever():
    lengths = [len(list(story(f"story-{n}", f"seed {n}"))) for n in range(400)]

    assert 0.7 * COLD_SHARE < lengths.count(1) / 400 < 1.4 * COLD_SHARE


def meant(name: str, **data: str) -> Envelope:
    return {"subject": "s", "id": name, "data": data}


@pytest.fixture
def client(tmp_path) -> Client:
    """Three events that were acknowledged, and one that was held."""
    journal = Journal(tmp_path / "journal.ndjson")
    journal.meant([meant("a"), meant("b"), meant("held", embargo_until="soon"), meant("c")])
    for place, name in enumerate(("a", "b", "c"), 1):
        journal.told(
            {"article": "s", "id": name, "status": "accepted", "seq": place, "chain": f"{name}!"}
        )
    journal.told({"article": "s", "id": "held", "status": "held"})
    journal.close()
    return read_journal(journal.path)["s"]


def faults(client: Client, ids: str) -> list[str]:
    names = {"h": "held"}
    found: list[dict[str, Any]] = [
        {"event": {"id": names.get(name, name), "type": ""}, "chain": f"{name}!"} for name in ids
    ]
    return [rule for rule, _ in _ledger(client, found)]


@pytest.mark.parametrize(
    ("ids", "rules"),
    [
        ("abch", []),
        ("abc", ["I6"]),
        ("abh", ["I6"]),
        ("abcbh", ["once"]),
        ("abchx", ["once"]),
        ("bach", ["I6", "I6"]),
    ],
)
def test_what_is_lost_doubled_or_elsewhere_is_found(client, ids, rules):
    assert faults(client, ids) == rules


def test_a_receipt_with_another_chain_is_found(client):
    client.told["b"]["chain"] = "another"

    assert faults(client, "abch") == ["I6"]


def test_receipts_in_another_order_than_the_events_were_filed_in_are_found(client):
    client.meant.reverse()

    assert faults(client, "abch") == ["order"]


def test_what_was_under_embargo_has_its_place_when_that_ended(client):
    client.told["held"] |= {"seq": 4, "chain": "h!"}

    assert faults(client, "abch") == []
