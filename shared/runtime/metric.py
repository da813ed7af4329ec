"""Of what form metrics are, and how they are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

Service = Literal["ingest", "render", "deliver"]
CounterName = Literal[
    "writethru_events_total",
    "writethru_events_refused_total",
    "writethru_requests_refused_total",
    "writethru_releases_total",
    "writethru_findings_total",
    "writethru_pulls_total",
    "writethru_wakeups_total",
    "writethru_commits_total",
    "writethru_renders_failed_total",
    "writethru_articles_swept_total",
    "writethru_events_quarantined_total",
    "writethru_overdue_total",
    "writethru_entries_trimmed_total",
    "writethru_redactions_total",
    "writethru_articles_refolded_total",
    "writethru_articles_archived_total",
    "writethru_articles_restored_total",
    "writethru_archive_files_removed_total",
    "writethru_frames_total",
    "writethru_readers_refused_total",
    "writethru_readers_cut_total",
    "writethru_hub_restarts_total",
    "writethru_answers_total",
    "writethru_cache_lookups_total",
    "writethru_purges_total",
    "writethru_webhooks_total",
    "writethru_subscriptions_disabled_total",
]
GaugeName = Literal[
    "writethru_engine_up",
    "writethru_lag_seconds",
    "writethru_dirty_articles",
    "writethru_waiting_wakeups",
    "writethru_promised_articles",
    "writethru_held_events",
    "writethru_release_overdue_seconds",
    "writethru_sources_failing",
    "writethru_tick_late_seconds",
    "writethru_engine_memory_used_bytes",
    "writethru_engine_memory_max_bytes",
    "writethru_engine_uptime_seconds",
    "writethru_inbox_waiting",
    "writethru_stream_entries",
    "writethru_lanes_stopped",
    "writethru_readers",
    "writethru_readers_aside",
    "writethru_purge_waiting_seconds",
    "writethru_subscriptions",
    "writethru_webhooks_waiting",
]
HistogramName = Literal[
    "writethru_append_seconds",
    "writethru_snapshot_seconds",
    "writethru_delivery_seconds",
    "writethru_purge_seconds",
    "writethru_webhook_seconds",
]
MetricName = CounterName | GaugeName | HistogramName

ALL: tuple[Service, ...] = ("ingest", "render", "deliver")


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table.

    *labels* are names and the values that each may have; no values means that there are too many
    to say, though never endless. *buckets* are a histogram's upper bounds.
    """

    kind: Literal["counter", "gauge", "histogram"]
    services: tuple[Service, ...]
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> Iterable[tuple[str, ...]]:
        """The values of the labels, in every combination that is known beforehand."""
        return product(*self.labels.values())


def counter(service: Service, said: str, **labels: tuple[str, ...]) -> Metric:
    """Return a counter of one service."""
    return Metric("counter", (service,), said, labels)


def engine(said: str) -> Metric:
    """Return a gauge of the engine, which every service shows."""
    return Metric("gauge", ALL, said)
