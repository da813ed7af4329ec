"""`writethru ingest`: one service in the foreground."""

from __future__ import annotations

from services.cli.service import become


def command() -> None:
    """Run ingest in the foreground: takes events in, checks and numbers them.

    Its settings come from the environment (WRITETHRU_...).
    """
    become("services.ingest")
