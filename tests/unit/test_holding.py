"""What is held: when it is due, in which order, and behind what."""

from __future__ import annotations

from math import inf

import orjson
import pytest

from services.ingest.core.holding import due_ms, read_holds
from shared.contract.events import parse_event
from tests.builders import SLUG, SOURCE, Envelope, corrected, posted, published

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z


@pytest.mark.parametrize(
    ("until", "milliseconds"),
    [
        (None, 0),
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T13:00:00+01:00", NOON),
        ("2026-03-01T12:00:00.5Z", NOON + 500),
        ("2026-03-01T12:00:00.000001Z", NOON + 1),
        ("2026-03-01T11:59:59.999999Z", NOON),
        ("1969-03-01T12:00:00Z", 0),
    ],
)
def test_an_embargo_ends_at_its_time_or_up_to_a_millisecond_later_and_never_before(
    until: str | None, milliseconds: int
) -> None:
    facts = {} if until is None else {"embargo_until": until}

    assert due_ms(parse_event(posted("u1", **facts))) == milliseconds


def record(order: int, envelope: Envelope, due: int = 0, stop: str = "") -> tuple[bytes, bytes]:
    facts = {
        "order": order,
        "due": due,
        "stop": stop,
        "act": envelope["type"].removeprefix("writethru."),
        "update": envelope["data"].get("update_id", ""),
        "recorded": NOON,
        "findings": [],
        "event": envelope,
    }
    return f"{envelope['id']} {SOURCE}".encode(), orjson.dumps(facts)


def test_nothing_is_released_before_what_it_builds_on() -> None:
    held = read_holds(
        SLUG,
        dict([
            record(5, corrected("u2", id="of-u2")),
            record(2, posted("u1", id="u1"), due=30),
            record(1, published(id="opening"), due=20),
            record(3, posted("u2", id="u2"), due=10),
            record(4, corrected("u1", id="of-u1")),
            record(6, posted("u3", id="u3"), stop="check"),
            record(7, corrected("u3", id="of-u3")),
        ]),
    )  # fmt: skip

    assert [(each.event_id, each.at, each.behind) for each in held] == [
        ("opening", 20, None),
        ("u1", 30, "opening"),
        ("u2", 20, "opening"),
        ("of-u1", 30, "u1"),
        ("of-u2", 20, "u2"),
        ("u3", inf, "opening"),
        ("of-u3", inf, "u3"),
    ]


@pytest.mark.parametrize("damaged", [b"{}", b"[]", b"no json"])
def test_a_record_that_can_t_be_read_is_named_by_its_event_only(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="the held event a /cms of harbour-bridge can't be read"):
        read_holds(SLUG, {b"a /cms": damaged})
