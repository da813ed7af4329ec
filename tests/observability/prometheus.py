"""A real Prometheus on our own configuration, that asks a stack on this machine."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from ruamel.yaml import YAML

from tests.observability.parts import CONFIG, RULES, Query, read_yaml
from tests.stack import free_ports
from tests.waiting import until_sync

START_SECONDS = 60.0
#: What Grafana puts in, for a Prometheus that asks every second.
VARIABLES = {"$__interval": "20s", "$__rate_interval": "20s", "$__range": "1h"}


class Prometheus:
    """Its HTTP interface."""

    def __init__(self, port: int) -> None:
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            return self._http.get("/-/ready").is_success
        except httpx2.TransportError:
            return False

    def ask(self, expr: str) -> Sequence[Mapping[str, Any]]:
        """Return the series that *expr* gives at this moment, in Grafana's words.

        Raises:
            AssertionError: it is no PromQL, or can't be worked out.
        """
        for variable, value in VARIABLES.items():
            expr = expr.replace(variable, value)
        answer = self._http.post("/api/v1/query", data={"query": expr}).json()
        assert answer["status"] == "success", f"{expr}: {answer['error']}"
        return list(answer["data"]["result"])

    def answers(self, query: Query) -> Sequence[Mapping[str, Any]]:
        """Return the series of *query* that have a figure."""
        found = self.ask(query.expr)
        return [series for series in found if not math.isnan(float(series["value"][1]))]

    def rules(self) -> Sequence[Mapping[str, Any]]:
        """Return the rules, with what became of them."""
        groups = self._http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def close(self) -> None:
        """Let go of it."""
        self._http.close()


@contextmanager
def asking(folder: Path, targets: Mapping[str, Sequence[int]]) -> Iterator[Prometheus]:
    """Run it in *folder*, to ask the internal ports of each service in *targets*."""
    [port] = free_ports(1)
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={_config(folder, targets)}",
                f"--storage.tsdb.path={folder / 'figures'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    prometheus = Prometheus(port)
    try:
        until_sync(lambda: process.poll() is not None or prometheus.ready(), START_SECONDS)
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield prometheus
    finally:
        prometheus.close()
        process.terminate()
        process.wait(START_SECONDS)


def _config(folder: Path, targets: Mapping[str, Sequence[int]]) -> Path:
    """Write ours with other addresses: there is no Docker here that would name them."""
    config = read_yaml(CONFIG)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    [ours] = [job for job in config["scrape_configs"] if job["job_name"] == "writethru"]
    [asked] = ours.pop("dns_sd_configs")
    assert set(asked["names"]) == set(targets)
    ours["static_configs"] = [
        {
            "targets": [f"127.0.0.1:{port}" for port in ports],
            "labels": {"__meta_dns_name": name},
        }
        for name, ports in targets.items()
    ]
    config["scrape_configs"] = [ours]
    path = folder / "prometheus.yml"
    YAML(typ="safe").dump(config, path)
    return path
