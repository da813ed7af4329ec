"""The lane's stream of wake-ups, and the group that reads it: what the engine does with both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.simulation.keys import Evidence, Group, Wakeup


class NoGroup(Exception):
    """The consumer group is not there."""


class Stream:
    """Wake-ups, those that were read, and those that were not acked."""

    events: list[Wakeup]
    group: Group | None
    evidence: Evidence
    # How many wake-ups must be there.
    rung: int

    def create_group(self) -> None:
        """XGROUP CREATE … 0 MKSTREAM, and never mind if it is there."""
        self.group = self.group or Group()

    def read_group(self, consumer: str, count: int) -> list[Wakeup]:
        """XREADGROUP … >: the next ones, which stay pending until they are acked."""
        group = self._group()
        wakeups = [wakeup for wakeup in self.events if wakeup.id > group.last][:count]
        for wakeup in wakeups:
            group.pending[wakeup.id] = consumer
            group.last = wakeup.id
        return wakeups

    def pending(self) -> list[int]:
        """XPENDING."""
        return list(self._group().pending)

    def read_events(self, ids: Sequence[int]) -> list[Wakeup]:
        """XRANGE for each id; one that was trimmed isn't there."""
        return [wakeup for wakeup in self.events if wakeup.id in ids]

    def ack(self, ids: Iterable[int]) -> None:
        """XACK."""
        for id_ in ids:
            if self.group is not None and id_ in self.group.pending:
                del self.group.pending[id_]
                self.evidence.acked.append(id_)

    def _group(self) -> Group:
        if self.group is None:
            raise NoGroup
        return self.group

    # -- what goes wrong ------------------------------------------------------------------

    def trim_events(self) -> None:
        self.events.clear()
        self.rung = 0

    def lose_group(self) -> None:
        self.group = None

    def delete_consumer(self, consumer: str) -> None:
        """XGROUP DELCONSUMER: its pending entries go with it."""
        if self.group is not None:
            pending = self.group.pending.items()
            self.group.pending = {id_: name for id_, name in pending if name != consumer}
