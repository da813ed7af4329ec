"""What a command tells a person, beside what it prints for whoever goes on with that."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Print *line* on standard error."""
    print(f"writethru: {line}", file=sys.stderr, flush=True)
