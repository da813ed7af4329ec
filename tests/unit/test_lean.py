"""What a process that is started leaves out, so that it starts quickly."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from importlib import import_module

import pytest

import shared.runtime.lean  # noqa: F401 -- that this test has imported it must change nothing here


def imported(module: str, **environ: str) -> set[str]:
    """Return what *module* imports when it is run, up to where it sees a wrong setting."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", module],
        env=os.environ | {"WRITETHRU_NO_SUCH_SETTING": "1"} | environ,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 78, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}


UNUSED = {"rich.console", "pygments", "trio._core", "opentelemetry.sdk", "typer"}
CLIENT = {"httpx2", "httpcore2"}


@pytest.mark.parametrize(
    ("service", "unwanted"),
    [("ingest", UNUSED | CLIENT), ("render", UNUSED | CLIENT), ("deliver", UNUSED)],
)
def test_a_service_starts_without_what_it_would_never_use(service, unwanted):
    found = imported(f"services.{service}")

    assert {"redis", "uvicorn", f"services.{service}.app"} <= found
    assert not found & unwanted


def test_another_program_that_imports_what_a_service_does_keeps_its_libraries():
    import_module("rich.console")
    import_module("trio")

    assert gc.isenabled()
