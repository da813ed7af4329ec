"""A process's figures as a test wants them: by name and the values of the labels, in order."""

from __future__ import annotations

import httpx2
from prometheus_client.parser import text_string_to_metric_families

Figures = dict[tuple[str, tuple[str, ...]], float]


def figures(exposition: bytes) -> Figures:
    """Read what `/metrics` answered."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
    }


def figures_at(port: int) -> Figures:
    """Ask the process with this internal port."""
    answer = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return figures(answer.content)
