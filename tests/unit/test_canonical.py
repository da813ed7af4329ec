"""Names for content: what a fingerprint covers, and what a chain says."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from shared.contract.canonical import fingerprint, link, short
from tests.builders import posted

KEY = b"the installation's"


def test_a_fingerprint_is_the_hmac_of_the_canonical_json_of_what_was_sent() -> None:
    envelope = {
        "specversion": "1.0",
        "type": "writethru.update.posted",
        "source": "/newsroom/cms",
        "id": "update-7",
        "subject": "harbour-bridge",
        "data": {"text": "Brücke \u2028\n\u001f😀", "urgency": 3, "key_event": False},
    }
    canonical = (
        '{"data":{"key_event":false,"text":"Brücke \u2028\\n\\u001f😀","urgency":3},'
        '"id":"update-7","source":"/newsroom/cms","subject":"harbour-bridge",'
        '"type":"writethru.update.posted"}'
    )

    expected = hmac.new(KEY, canonical.encode(), hashlib.sha256).hexdigest()
    assert fingerprint(KEY, envelope) == expected


def test_a_fingerprint_does_not_depend_on_the_order_of_fields() -> None:
    sent = posted("u1", headline="H", urgency=3)
    turned = dict(reversed(sent.items())) | {"data": dict(reversed(sent["data"].items()))}

    assert fingerprint(KEY, turned) == fingerprint(KEY, sent)


@pytest.mark.parametrize(
    "added", [{"traceparent": "00-1"}, {"baseversion": 3}, {"dataschema": "x"}]
)
def test_what_a_gateway_adds_leaves_the_fingerprint(added: dict[str, Any]) -> None:
    sent = posted("u1")

    assert fingerprint(KEY, sent | added) == fingerprint(KEY, sent)


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "other"},
        {"source": "/other"},
        {"id": "other"},
        {"type": "writethru.update.revised"},
        {"data": {}},
        {"time": "2026-03-01T09:00:01Z"},
    ],
)
def test_another_fact_is_another_fingerprint(other: dict[str, Any]) -> None:
    sent = posted("u1", at="2026-03-01T09:00:00Z")

    assert fingerprint(KEY, sent | other) != fingerprint(KEY, sent)


def test_a_time_is_part_of_it_only_when_it_was_sent() -> None:
    timed = posted("u1", at="2026-03-01T09:00:00Z")
    timeless = {name: value for name, value in timed.items() if name != "time"}

    assert fingerprint(KEY, timed) != fingerprint(KEY, timeless)


def test_nobody_without_the_key_can_make_a_fingerprint() -> None:
    assert fingerprint(KEY, posted("u1")) != fingerprint(b"", posted("u1"))


def test_a_chain_links_place_and_content_to_all_that_came_before() -> None:
    first = link("", 1, "ab" * 32)
    second = link(first, 2, "cd" * 32)

    assert first == hashlib.sha1(f":1:{'ab' * 32}".encode()).hexdigest()
    assert second == hashlib.sha1(f"{first}:2:{'cd' * 32}".encode()).hexdigest()
    assert short(second) == second[:12]
