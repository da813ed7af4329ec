"""The view of `status`: figures keep their places, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.cli.board import board, duration
from services.cli.standing import (
    Deliver,
    Engine,
    LaneStanding,
    Newest,
    Pace,
    Rates,
    Standing,
    to_json,
)
from shared.runtime.backlog import Behind, Holding, Wakeups
from shared.runtime.punctuality import Late, Punctual
from shared.runtime.subscribers import Subscribers

AT = datetime(2025, 11, 15, 5, 10, 44, tzinfo=UTC)
MIB = 1024**2


def lane(tag: str, *, late: float = 0.0, **facts: Any) -> LaneStanding:
    behind = Behind(2 if late else 0, late)
    made = LaneStanding(tag, 101, behind, Wakeups(0, 0, grouped=True), 12_345, 12_300)
    return replace(made, **facts)


def standing(lanes: Sequence[LaneStanding] | None = None, **facts: Any) -> Standing:
    made = Standing(
        at=AT,
        place="127.0.0.1:6379",
        engine=Engine("Valkey 9.1.2", 3 * 3_600 + 12 * 60, 12 * MIB, 0, 48),
        lanes=lanes or [lane(str(tag)) for tag in range(12)],
        newest=Newest("harbour-bridge", AT - timedelta(seconds=3)),
        waiting=0,
        refused=0,
        delivers=(Deliver("http://127.0.0.1:8080", 214, 10_000),),
        quarantined={},
    )
    return replace(made, **facts)


def lines(of: Standing, **how: Any) -> list[str]:
    return board(of, **how).plain.split("\n")


def fact(of: Standing, label: str) -> str:
    [line] = [line for line in lines(of) if line.startswith(f"  {label} ")]
    return line.removeprefix(f"  {label}").strip()


def table(shown: list[str]) -> list[str]:
    return shown[next(n for n, line in enumerate(shown) if line.startswith("  LANE")) :]


def test_it_says_in_lines_how_everything_is() -> None:
    at_rest = standing()

    assert fact(at_rest, "engine") == "Valkey 9.1.2, up 3 h 12 min, 48 clients"
    assert fact(at_rest, "memory") == "12 MiB, no limit"
    assert fact(at_rest, "articles") == "1,212, newest harbour-bridge, 3 s ago"
    assert fact(at_rest, "filed") == "–"
    assert fact(at_rest, "behind") == "none"
    assert fact(at_rest, "held") == "none"
    assert fact(at_rest, "quarantine") == "none"
    assert fact(at_rest, "webhooks") == "no subscriptions"
    assert fact(at_rest, "deliver") == "http://127.0.0.1:8080   214 of 10,000 readers"


def test_held_events_are_counted_and_late_releases_told() -> None:
    assert fact(standing(holding=Holding(3, 0.0)), "held") == "3 events"
    assert fact(standing(holding=Holding(3, 7.25)), "held") == (
        "3 events, one due for 7.2 s: see that ingest runs"
    )


def test_what_is_the_matter_is_told() -> None:
    busy = standing(
        [lane("1", late=4.2), lane("2")],
        engine=replace(standing().engine, memory_max=16 * MIB),
        rates=Rates(1_212.4, 900.0),
        waiting=1,
        refused=3,
        quarantined={"ferry": (2, 5), "pier": (1,)},
        subscribers=Subscribers(7, 1, 1, failing=2, waiting=12, dead=3),
        delivers=(Deliver("http://127.0.0.1:8080", trouble="does not answer"),),
    )

    assert fact(busy, "memory") == "12 MiB of 16 MiB, 75%"
    assert fact(busy, "filed") == "1,212.4 events a second"
    assert fact(busy, "behind") == "2 articles, the longest for 4.2 s"
    assert fact(busy, "inbox") == "1 event waiting; 3 events refused"
    assert fact(busy, "quarantine") == "3 events of ferry, pier"
    assert fact(busy, "webhooks") == (
        "9 subscriptions, 1 paused, 1 disabled, 2 failing, 3 messages given up, 12 articles to tell"
    )
    assert fact(busy, "deliver") == "http://127.0.0.1:8080   does not answer"


@pytest.mark.parametrize("filed", [0, 12_345, 1_234_567_890])
def test_columns_keep_their_places_whatever_is_in_them(filed: int) -> None:
    shown = table(lines(standing([lane("1", late=99.9, filed=filed), lane("16383"), lane("7")])))

    assert {len(line) for line in shown} == {len(shown[0])}
    for line in shown[1:]:
        assert line[len(line) - 12 :].strip().replace(",", "").isdigit()


def test_a_lane_without_its_group_says_what_to_do() -> None:
    lost = lane("2", wakeups=Wakeups(0, 0, grouped=False))

    shown = table(lines(standing([lane("1"), lost])))

    assert "start render" in shown[2]
    assert "start render" not in shown[1]


@pytest.mark.parametrize("height", [19, 20, 26, 60])
def test_it_fits_the_screen_and_the_sum_of_all_lanes_is_always_there(height: int) -> None:
    shown = lines(standing(), height=height)

    assert len(shown) <= height
    assert shown[-1].startswith("  all ")
    assert shown[-1].split()[1] == "1,212"


def test_a_lane_that_is_late_is_shown_before_others_in_its_own_place() -> None:
    lanes = [lane(f"{tag:02}") for tag in range(12)]
    lanes[9] = lane("09", late=12.0)

    shown = table(lines(standing(lanes), height=20))

    named = [line.split()[0] for line in shown[1:-2]]
    assert named == sorted(named)
    assert "09" in named
    assert named[0] == "00"
    assert shown[-2].strip() == f"… and {12 - len(named)} more"


def test_trouble_stands_where_one_looks_first() -> None:
    assert lines(standing(), trouble="the engine does not answer")[0].endswith("does not answer")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_a_span_of_time_is_said_in_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_rates_are_means_of_the_last_seconds_and_start_over_with_a_stream() -> None:
    pace = Pace()

    assert pace.at(0.0, 100, 50) is None
    assert pace.at(1.0, 110, 55) == Rates(10.0, 5.0)
    assert pace.at(10.0, 110, 55) == Rates(1.0, 0.5)
    assert pace.at(11.0, 110, 55) == Rates(0.0, 0.0)
    assert pace.at(12.0, 3, 60) is None
    assert pace.at(13.0, 5, 62) == Rates(2.0, 2.0)


def test_programs_get_the_same_figures() -> None:
    told = to_json(standing([lane("1", late=4.2), lane("2")], quarantined={"ferry": (2,)}))

    assert told["articles"]["newest"]["updated_at"] == "2025-11-15T05:10:41Z"
    assert (told["behind"], told["lag_seconds"]) == (2, 4.2)
    assert [each["lane"] for each in told["lanes"]] == ["1", "2"]
    assert sum(each["filed"] for each in told["lanes"]) == told["filed"]
    assert told["deliver"] == [
        {"url": "http://127.0.0.1:8080", "ready": True, "readers": 214, "room": 10_000}
    ]
    assert told["quarantine"] == {"ferry": (2,)}


def test_it_says_how_promises_are_kept_and_names_those_who_do_not_since_when() -> None:
    late = tuple(
        Late(name, AT - timedelta(minutes=minutes))
        for name, minutes in [("trams", 3_000), ("harbour-bridge", 5), ("ferries", 2), ("rain", 1)]
    )
    hour = late[1].since.astimezone().strftime("%H:%M:%S")
    day = late[0].since.astimezone().strftime("%Y-%m-%d")

    assert fact(standing(), "cadence") == "no article promises news"
    kept = standing(punctual=Punctual(on_time=7, due=1))
    assert fact(kept, "cadence") == "7 on time, 1 due, 0 overdue"
    said = fact(standing(punctual=Punctual(7, 0, 4, late)), "cadence")
    assert said.startswith(f"7 on time, 0 due, 4 overdue: trams since {day} (2 d 2 h), ")
    assert f"harbour-bridge since {hour} (5 min 0 s)" in said
    assert said.endswith(", …")
