"""Whether this process' fold can be trusted in a lane, judged by how the last events went.

One event in thousands is poison; many are a sign that the fold itself is broken, as by a bad
deploy. It must not mark everything that is filed as without effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

IN_A_ROW = 50
WINDOW = 500
PERCENT = 20


class DistrustedError(Exception):
    """The lane is stopped in this process: nothing may be committed there."""


class Trust:
    """Judges one lane. What it stopped stays so as long as the process lives."""

    def __init__(self) -> None:
        self.stopped = ""
        """Why the lane is stopped; empty while it isn't."""
        self.suspects: set[str] = set()
        """Articles in which events were marked that may be all right."""
        self._last: deque[tuple[str, int] | None] = deque(maxlen=WINDOW)
        self._failed = self._row = 0

    def judge(self, slug: str, seqs: Collection[int], failed: Collection[int]) -> None:
        """Take note of how the events *seqs* of *slug* were folded; *failed* could not be.

        Raises:
            DistrustedError: the lane is stopped, so that this fold must not be committed.
        """
        for seq in seqs:
            if not self.stopped:
                self._note((slug, seq) if seq in failed else None)
        if self.stopped:
            raise DistrustedError(self.stopped)

    def _note(self, failure: tuple[str, int] | None) -> None:
        """Note one event, by article and seq if it failed; one that is tried again counts once."""
        if failure in self._last and failure:
            return
        if len(self._last) == WINDOW and self._last[0]:
            self._failed -= 1
        self._last.append(failure)
        self._failed += failure is not None
        self._row = self._row + 1 if failure else 0
        if self._row >= IN_A_ROW:
            self._stop(f"the last {self._row} events")
        elif self._failed * 100 > PERCENT * WINDOW:
            self._stop(f"{self._failed} of the last {len(self._last)} events")

    def _stop(self, what: str) -> None:
        self.stopped = f"{what} could not be folded, so nothing more is committed there"
        self.suspects = {failure[0] for failure in self._last if failure}
