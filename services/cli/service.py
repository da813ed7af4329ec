"""Becoming one of the services, as `python -m services.…` starts it."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def become(module: str) -> NoReturn:
    """Run *module* in place of this process: its signals, output and status are the service's."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606 -- no shell wanted
