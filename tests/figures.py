"""A process's figures as a test wants them: by name and values of the labels, in that order."""

from __future__ import annotations

from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from shared.runtime.metrics import METRICS

Figures = dict[tuple[str, tuple[str, ...]], float]


def figures(exposition: bytes) -> Figures:
    """Read what `/metrics` answered."""
    return {
        (sample.name, _values(sample)): sample.value
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
    }


def _values(sample: Any) -> tuple[str, ...]:
    known = METRICS.get(sample.name)
    return tuple(sample.labels[name] for name in (known.labels if known else sample.labels))


def figures_at(port: int) -> Figures:
    """Ask the process with this internal port."""
    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return figures(answer.content)
