"""Dashboards, alerts and their runbook: they go together, and name what the code has."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from shared.runtime.metrics import METRICS
from tests.observability.parts import (
    MOMENTS,
    PROVISIONING,
    ROOT,
    Json,
    Query,
    alerts,
    dashboards,
    panels,
    queries_of_alerts,
    queries_of_dashboards,
    read_yaml,
)

DASHBOARDS = dashboards()
RUNBOOK = (ROOT / "docs" / "alerts.md").read_text("utf-8")
#: What Prometheus and its client say of any process.
OTHERS = {
    "up",
    "ALERTS",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
}
COLUMNS = 24

each_query = pytest.mark.parametrize(
    "query", [*queries_of_dashboards(), *queries_of_alerts()], ids=lambda query: query.place
)
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
each_alert = pytest.mark.parametrize(("name", "rule"), alerts().items(), ids=alerts())


def series_of(name: str) -> set[str]:
    if METRICS[name].kind != "histogram":  # type: ignore[index]
        return {name}
    return {f"{name}_bucket", f"{name}_sum", f"{name}_count"}


KNOWN = OTHERS.union(*(series_of(name) for name in METRICS))


@each_query
def test_a_query_names_metrics_that_there_are(query: Query) -> None:
    assert query.names
    assert query.names <= KNOWN


@each_dashboard
def test_a_panel_says_what_it_shows_and_in_which_unit(dashboard: Json) -> None:
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@each_dashboard
def test_panels_stand_beside_each_other_and_not_on_each_other(dashboard: Json) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    for place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@each_dashboard
def test_a_dashboard_reads_the_source_that_is_provisioned(dashboard: Json) -> None:
    (source,) = read_yaml(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    wanted = {"type": source["type"], "uid": source["uid"]}

    for panel in panels(dashboard):
        assert panel["datasource"] == wanted
        assert [target["datasource"] for target in panel["targets"]] == (
            [wanted] * len(panel["targets"])
        )


def test_dashboards_have_names_of_their_own_and_links_to_each_other() -> None:
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}

    assert len(uids) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        links = {link["url"].removeprefix("/d/") for link in dashboard["links"]}
        assert links == uids - {dashboard["uid"]}


@each_alert
def test_an_alert_says_how_urgent_it_is_and_where_its_section_is(name: str, rule: Json) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"


def test_every_alert_has_a_section_and_every_section_an_alert() -> None:
    assert re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE) == list(alerts())


@each_alert
def test_a_section_says_what_to_do_step_by_step(name: str, rule: Json) -> None:
    section = RUNBOOK.partition(f"\n## {name}\n")[2].partition("\n## ")[0]

    assert re.search(r"^1\. ", section, re.MULTILINE)
    assert re.search(r"`[^`]+`", section)


def test_every_section_that_another_names_is_there() -> None:
    named = set(re.findall(r"\]\(#(\w+)\)", RUNBOOK))

    assert named <= {name.lower() for name in alerts()}


@each_alert
def test_an_alert_has_moments_in_which_it_fires_and_in_which_it_does_not(
    name: str, rule: Json
) -> None:
    moments = [
        moment
        for case in read_yaml(MOMENTS)["tests"]
        for moment in case["alert_rule_test"]
        if moment["alertname"] == name
    ]

    assert any(moment["exp_alerts"] for moment in moments)
    assert any(not moment["exp_alerts"] for moment in moments)
