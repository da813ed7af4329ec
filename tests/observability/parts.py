"""The files of observability/ as a test wants them: alerts, panels, and the queries of both."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "observability"
CONFIG = FOLDER / "prometheus" / "prometheus.yml"
RULES = FOLDER / "prometheus" / "alerts.yml"
MOMENTS = Path(__file__).with_name("alerts_test.yml")
PROVISIONING = FOLDER / "grafana" / "provisioning"

Json = Mapping[str, Any]

_NAME = r"(?:writethru|process)_\w+|\bup\b|\bALERTS\b"
_SELECTOR = re.compile(rf"({_NAME})(\{{[^}}]*\}})?")


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression; *legend* is how Grafana names its series."""

    place: str
    expr: str
    legend: str = ""
    instant: bool = False

    @property
    def selectors(self) -> Sequence[str]:
        """What it asks for, without ranges."""
        return [name + matchers for name, matchers in _SELECTOR.findall(self.expr)]

    @property
    def names(self) -> set[str]:
        """The metrics that it names."""
        return {name for name, _ in _SELECTOR.findall(self.expr)}


def read_yaml(path: Path) -> Any:
    """Read one file of YAML."""
    return YAML(typ="safe").load(path)


def alerts() -> dict[str, Json]:
    """Return the alert rules by name."""
    groups = read_yaml(RULES)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboards() -> dict[str, Json]:
    """Return the dashboards by file name."""
    paths = sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
    return {path.name: json.loads(path.read_text("utf-8")) for path in paths}


def panels(dashboard: Json) -> list[Json]:
    """Return what a dashboard shows, but for the headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries_of_dashboards() -> list[Query]:
    """Return every query of every panel."""
    return [
        Query(
            f"{name}: {panel['title']}: {target['refId']}",
            target["expr"],
            target["legendFormat"],
            target["instant"],
        )
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def queries_of_alerts() -> list[Query]:
    """Return every rule's expression."""
    return [Query(name, rule["expr"]) for name, rule in alerts().items()]
