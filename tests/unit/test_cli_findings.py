"""What `doctor` makes of facts that a test can't bring about on a real engine, and of limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.cli.engine_findings import engine_findings
from services.cli.examination import Examined, Held, Installed, Keys
from services.cli.finding import Finding, size
from services.cli.installed_findings import installed_findings
from shared.runtime.backlog import Behind, Holding, Wakeups
from shared.runtime.settings import Listen, Settings

GIB = 1024**3
KEPT = {"appendonly": "yes", "appendfsync": "always"}

ENGINE = Examined(
    info={
        "redis_version": "7.2.4",
        "role": "master",
        "cluster_enabled": 0,
        "aof_enabled": 1,
        "aof_last_write_status": "ok",
        "aof_current_size": GIB,
        "maxmemory_policy": "noeviction",
        "used_memory": GIB // 2,
        "maxmemory": GIB,
        "total_system_memory": 64 * GIB,
    },
    config=KEPT | {"maxmemory-policy": "noeviction"},
    skew=0.0,
    disk_free=100 * GIB,
)
INSTALLED = Installed(
    tags=("1", "2"),
    schema=1,
    has_key=True,
    behind=(Behind(0, 0.0), Behind(0, 0.0)),
    wakeups=(Wakeups(0, 0, True), Wakeups(3, 1, True)),
    silence=0.4,
    keys=Keys(3, 2),
)
SETTINGS = Settings(lanes=2)


def of_engine(settings: Settings = SETTINGS, **facts: Any) -> dict[str, Finding]:
    info = {name: value for name, value in facts.items() if name in ENGINE.info}
    others = {name: value for name, value in facts.items() if name not in info}
    found = replace(ENGINE, info={**ENGINE.info, **info}, **others)
    return {each.about: each for each in engine_findings(settings, found)}


def of_installed(settings: Settings = SETTINGS, **facts: Any) -> dict[str, Finding]:
    found = installed_findings(settings, replace(INSTALLED, **facts))
    return {each.about: each for each in found}


def unwell(findings: dict[str, Finding]) -> dict[str, str]:
    return {each.about: each.level for each in findings.values() if each.level != "ok"}


def test_where_all_is_well_nothing_has_a_remedy() -> None:
    findings = [*of_engine().values(), *of_installed().values()]

    assert {each.level for each in findings} == {"ok"}
    assert not any(each.remedy for each in findings)
    assert len({each.about for each in findings}) == len(findings)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"redis_version": "6.2.14"}, {"version": "error"}),
        ({"redis_version": "7.0.0"}, {}),
        ({"redis_version": "10.1.0"}, {}),
        ({"redis_version": ""}, {"version": "warning"}),
        ({"role": "slave"}, {"role": "error"}),
        ({"cluster_enabled": 1}, {"role": "error"}),
        ({"aof_last_write_status": "err"}, {"persistence": "error"}),
        ({"config": KEPT | {"maxmemory-policy": "volatile-lru"}}, {"eviction": "error"}),
        ({"config": KEPT, "maxmemory_policy": "allkeys-lru"}, {"eviction": "error"}),
        ({"config": KEPT, "maxmemory_policy": None}, {"eviction": "warning"}),
        ({"config": {}}, {"persistence": "warning"}),
        ({"config": {}, "aof_enabled": 0}, {"persistence": "error"}),
        ({"used_memory": int(0.74 * GIB)}, {}),
        ({"used_memory": int(0.76 * GIB)}, {"memory": "warning"}),
        ({"used_memory": int(0.91 * GIB)}, {"memory": "error"}),
        ({"used_memory": 40 * GIB, "maxmemory": 0}, {}),
        ({"used_memory": 60 * GIB, "maxmemory": 0}, {"memory": "error"}),
        ({"disk_free": None}, {}),
        ({"disk_free": 2 * GIB}, {}),
        ({"disk_free": 2 * GIB - 1}, {"disk": "warning"}),
        ({"disk_free": GIB // 4}, {"disk": "error"}),
        ({"skew": 0.9}, {}),
        ({"skew": -1.1}, {"clock": "warning"}),
        ({"skew": 61.0}, {"clock": "error"}),
    ],
)  # fmt: skip
def test_the_engine_is_judged_by_what_would_break_a_promise(facts: Any, expected: Any) -> None:
    findings = of_engine(**facts)

    assert unwell(findings) == expected
    assert all(findings[about].remedy for about in expected)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"tags": ("1", "2", "3")}, {"lanes": "error"}),
        ({"schema": 2}, {"installation": "error"}),
        ({"has_key": False}, {"installation": "error"}),
        ({"wakeups": (Wakeups(0, 0, True), Wakeups(0, 0, False))}, {"renderers": "error"}),
        ({"silence": None}, {"renderers": "warning"}),
        ({"silence": 30.0}, {"renderers": "warning"}),
        ({"behind": (Behind(7, 9.9), Behind(0, 0.0))}, {}),
        ({"behind": (Behind(7, 10.1), Behind(1, 0.1))}, {"lag": "error"}),
        ({"keys": Keys()}, {"keys": "warning"}),
        ({"keys": Keys(2, 0)}, {"keys": "warning"}),
        ({"keys": Keys(damaged=True)}, {"keys": "error"}),
        ({"inbox_waiting": 4}, {"inbox": "error"}),
        ({"inbox_waiting": 4, "inbox_read": True}, {}),
        ({"held": (Held("{wt:1}:changes", "archive", 23.9),)}, {}),
        ({"held": (Held("{wt:1}:changes", "archive", 31.0),)}, {"retention": "warning"}),
        ({"quarantined": {"ferry": (2, 5)}}, {"quarantine": "warning"}),
    ],
)
def test_an_installation_is_judged_likewise(facts: Any, expected: Any) -> None:
    findings = of_installed(**facts)

    assert unwell(findings) == expected
    assert all(findings[about].remedy for about in expected)


def test_what_is_set_on_purpose_is_no_fault() -> None:
    here = Settings(lanes=2, no_auth=True)

    assert unwell(of_installed(here, keys=Keys())) == {}


def test_settings_that_do_not_go_together_are_told() -> None:
    everywhere = Listen(host="0.0.0.0", port=8000)

    open_door = of_engine(Settings(no_auth=True, ingest_listen=everywhere))
    far_readers = of_engine(Settings(deliver_listen=everywhere))
    in_memory = of_engine(Settings(durability="memory"), config={"appendfsync": "no"})

    assert unwell(open_door) == {"settings": "error"}
    assert unwell(far_readers) == {"settings": "warning"}
    assert "WRITETHRU_PUBLIC_URL" in far_readers["settings"].remedy
    assert unwell(in_memory) == {"persistence": "warning"}


def test_of_many_quarantined_articles_some_are_named_and_the_rest_counted() -> None:
    quarantined = {f"story-{number}": (number,) for number in range(1, 6)}

    detail = of_installed(quarantined=quarantined)["quarantine"].detail

    assert detail == "5 events without effect: story-1 1; story-2 2; story-3 3 and 2 more"


@pytest.mark.parametrize(
    ("number", "said"), [(512, "512 B"), (2048, "2 KiB"), (3 * GIB // 2, "1.5 GiB")]
)
def test_sizes_are_said_as_people_say_them(number: int, said: str) -> None:
    assert size(number) == said


def test_releases_that_are_late_are_an_error() -> None:
    assert of_installed()["held"].level == "ok"
    assert of_installed(holding=Holding(2, 9.9))["held"].level == "ok"

    late = of_installed(holding=Holding(2, 12.0))["held"]

    assert late.level == "error"
    assert "12 s ago" in late.detail
