"""The example's feed server, for tests: a wire that grows as they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

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
