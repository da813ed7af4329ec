"""What is counted and measured, for Prometheus: one table, and three ways to say a figure.

A process says figures as they come up; `exposition` is what its `/metrics` answers. Names and
kinds are types, so that a name that is not in the table, or of another kind, is a type error.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric as Family

from shared.runtime.metric import (
    CounterName,
    GaugeName,
    HistogramName,
    Metric,
    MetricName,
    Service,
)
from shared.runtime.metric_table import METRICS as METRICS

MEDIA_TYPE = CONTENT_TYPE_LATEST


def count(name: CounterName, by: float = 1, **labels: str) -> None:
    """Add *by* to a counter."""
    of = _COUNTERS[name]
    (of.labels(**labels) if labels else of).inc(by)


def begin(name: CounterName, **labels: str) -> None:
    """Show one series of a counter at 0, so that it is seen to rise."""
    _COUNTERS[name].labels(**labels)


def show(name: GaugeName, value: float, **labels: str) -> None:
    """Set a gauge; NaN says that the figure is not known."""
    gauge = _GAUGES[name]
    (gauge.labels(**labels) if labels else gauge).set(value)


def move(name: GaugeName, by: float) -> None:
    """Let a gauge rise, or fall."""
    _GAUGES[name].inc(by)


def observe(name: HistogramName, seconds: float) -> None:
    """Add one measurement to a histogram."""
    _HISTOGRAMS[name].observe(seconds)


def exposition(service: Service) -> bytes:
    """Return the figures of this process, which is *service*, in Prometheus' text format."""
    return generate_latest(_Shown(service))


class _Shown:
    """What a service has to say, and nothing of what others would."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Family]:
        for name, metric in METRICS.items():
            if self._service in metric.services:
                yield from _INSTRUMENTS[name].collect()
        yield from _PROCESS.collect()


def _made(name: MetricName, metric: Metric) -> Counter | Gauge | Histogram:
    """Make one instrument; series that are known beforehand begin at 0 and are seen to rise."""
    if metric.kind == "histogram":
        return Histogram(name, metric.help, registry=None, buckets=metric.buckets)
    kind = Counter if metric.kind == "counter" else Gauge
    made = kind(name, metric.help, tuple(metric.labels), registry=None)
    for values in metric.series if metric.labels else ():
        made.labels(*values)
    return made


# They would be a second series for each that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]
_PROCESS = ProcessCollector(registry=None)
_INSTRUMENTS = {name: _made(name, metric) for name, metric in METRICS.items()}
_COUNTERS = {name: made for name, made in _INSTRUMENTS.items() if isinstance(made, Counter)}
_GAUGES = {name: made for name, made in _INSTRUMENTS.items() if isinstance(made, Gauge)}
_HISTOGRAMS = {name: made for name, made in _INSTRUMENTS.items() if isinstance(made, Histogram)}
