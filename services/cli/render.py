"""`writethru render`: one service in the foreground."""

from __future__ import annotations

from services.cli.service import become


def command() -> None:
    """Run render in the foreground: folds new events into their articles.

    Its settings come from the environment (WRITETHRU_...).
    """
    become("services.render")
