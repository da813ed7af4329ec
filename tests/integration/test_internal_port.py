"""The internal port of a process that has not started yet, or can't."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from shared.runtime.engine import Engine
from tests.stack import free_ports
from tests.waiting import until_sync

SERVICES = ("ingest", "render", "deliver")


@contextmanager
def process(
    service: str, folder: Path, engine: int, internal: int
) -> Iterator[subprocess.Popen[str]]:
    [own] = free_ports(1)
    settings = {
        "REDIS_URL": f"redis://127.0.0.1:{engine}/0",
        "METRICS_LISTEN": f"127.0.0.1:{internal}",
        "NO_AUTH": "true",
    }
    if service != "render":
        settings[f"{service.upper()}_LISTEN"] = f"127.0.0.1:{own}"
    environ = {f"WRITETHRU_{name}": value for name, value in settings.items()}
    with (folder / "log").open("w") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()} | environ,
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def ask(port: int, path: str) -> httpx2.Response | None:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
    except httpx2.TransportError:
        return None


def status(port: int, path: str) -> int:
    answer = ask(port, path)
    return answer.status_code if answer else 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_that_waits_for_the_engine_lives_and_is_not_ready(tmp_path, service):
    engine, internal = free_ports(2)
    with process(service, tmp_path, engine, internal) as started:
        # given a process without an engine
        until_sync(lambda: status(internal, "/healthz") == 200, 30)
        ready = ask(internal, "/readyz")
        assert ready is not None
        assert ready.status_code == 503
        assert "is awaited" in ready.json()["checks"]["engine"]["detail"]
        shown = ask(internal, "/metrics")
        assert shown is not None
        assert "writethru_engine_up 0.0" in shown.text
        # when one comes up
        with Engine(tmp_path / "data", engine):
            # then it is ready, and ends when it is told to
            until_sync(lambda: status(internal, "/readyz") == 200, 30)
            started.send_signal(signal.SIGTERM)
            assert started.wait(20) == 0


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_whose_internal_port_is_taken_does_not_start(tmp_path, service):
    [internal] = free_ports(1)
    (tmp_path / "other").mkdir()
    with process("render", tmp_path / "other", 1, internal):
        until_sync(lambda: status(internal, "/healthz") == 200, 30)
        with process(service, tmp_path, 1, internal) as second:
            assert second.wait(20) == 78

    [line] = (tmp_path / "log").read_text().splitlines()
    assert line.startswith(f"writethru {service}: WRITETHRU_METRICS_LISTEN: 127.0.0.1:{internal} ")
