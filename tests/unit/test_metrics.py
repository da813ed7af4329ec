"""The table of metrics: what Prometheus' conventions ask of names, and who shows what."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, get_args

import pytest

from shared.runtime.metric import CounterName, GaugeName, HistogramName
from shared.runtime.metrics import METRICS, count, exposition, observe
from tests.figures import figures

each_metric = pytest.mark.parametrize("name", METRICS)


@pytest.mark.parametrize(
    ("kind", "names"),
    [("counter", CounterName), ("gauge", GaugeName), ("histogram", HistogramName)],
)
def test_a_name_of_a_type_is_in_the_table_as_of_that_kind(kind: str, names: Any) -> None:
    assert {name for name, each in METRICS.items() if each.kind == kind} == set(get_args(names))


@each_metric
def test_a_name_says_whose_it_is_and_ends_with_its_unit(name: Any) -> None:
    assert name.startswith("writethru_")
    assert name.endswith("_total") == (METRICS[name].kind == "counter")
    if METRICS[name].kind == "histogram":
        assert name.endswith("_seconds")


@each_metric
def test_what_a_metric_is_stands_in_one_sentence(name: Any) -> None:
    assert METRICS[name].help.endswith(".")
    assert METRICS[name].services


@pytest.mark.parametrize("service", ["ingest", "render", "deliver"])
def test_a_service_shows_its_own_metrics_and_no_others(service: Any) -> None:
    shown = exposition(service).decode()

    for name, metric in METRICS.items():
        assert (f"# HELP {name} " in shown) == (service in metric.services)
    assert "process_resident_memory_bytes" in shown


def test_a_series_that_is_known_beforehand_begins_at_zero() -> None:
    # In a process of its own: others of this one may have counted already.
    code = "from shared.runtime.metrics import exposition as e; print(e('render').decode())"
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert figures(fresh)["writethru_commits_total", ("newer",)] == 0


def test_what_was_counted_and_measured_is_shown() -> None:
    before, ingest_before = figures(exposition("render")), figures(exposition("ingest"))

    count("writethru_commits_total", result="newer")
    count("writethru_entries_trimmed_total", 7, stream="events")
    observe("writethru_append_seconds", 0.002)

    after = figures(exposition("render"))
    assert {key for key in after if after[key] != before[key] and "process" not in key[0]} == {
        ("writethru_commits_total", ("newer",)),
        ("writethru_entries_trimmed_total", ("events",)),
    }
    ingest_after = figures(exposition("ingest"))
    more = {key: ingest_after[key] - ingest_before[key] for key in ingest_after}
    assert more["writethru_append_seconds_bucket", ("0.0025",)] == 1
    assert more["writethru_append_seconds_bucket", ("0.001",)] == 0


def test_a_label_that_a_metric_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="label"):
        count("writethru_commits_total", outcome="stale")
