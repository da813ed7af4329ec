"""The one way in which a command fails: a line that says what to do, and an exit status."""

from __future__ import annotations

WRONG_USAGE = 2
WRONG_SETTING = 78


class Failure(Exception):
    """Printed as it is, after the command's name; exit *status* 1 unless said otherwise."""

    def __init__(self, line: str, status: int = 1) -> None:
        super().__init__(line)
        self.status = status


def misused(line: str) -> Failure:
    """Return the failure of somebody who called a command wrongly."""
    return Failure(line, WRONG_USAGE)
