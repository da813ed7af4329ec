"""The example's feed server, for tests: a wire that grows as they say, or by the clock."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.stack import free_ports

_PATH = Path(__file__).parents[1] / "examples" / "feed_server.py"


def _example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("feed_server", _PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


feed_server: Any = _example()
STORY: list[dict[str, Any]] = feed_server.STORY
Wire: Any = feed_server.Wire
FeedServer: Any = feed_server.FeedServer


@contextmanager
def wire_at_speed(speed: float) -> Iterator[str]:
    """Run the example as a person does; its story has begun when this returns its address."""
    (port,) = free_ports(1)
    words = [sys.executable, str(_PATH), "--port", str(port), "--speed", str(speed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert b"/feed.atom" in process.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
