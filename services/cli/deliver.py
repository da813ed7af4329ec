"""`writethru deliver`: one service in the foreground."""

from __future__ import annotations

from services.cli.service import become


def command() -> None:
    """Run deliver in the foreground: serves pages, formats and live changes.

    Its settings come from the environment (WRITETHRU_...).
    """
    become("services.deliver")
