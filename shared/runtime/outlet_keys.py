"""The keys of what tells others of changes: caches that are purged, subscriptions to webhooks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PurgeKeys:
    """What is kept for the cache that is purged at *url*; the engine isn't told the address."""

    url: str

    @property
    def name(self) -> str:
        """What the cache is called in keys, in the log and in metrics."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:8]

    @property
    def lease(self) -> str:
        """String that expires: who tells the cache."""
        return f"writethru:purge:{self.name}:lease"

    @property
    def places(self) -> str:
        """Hash: lane → the entry of its outbox up to which the cache was told."""
        return f"writethru:purge:{self.name}:places"


@dataclass(frozen=True, slots=True)
class SubscriptionKeys:
    """The keys of one subscription to webhooks; its record is in `SUBSCRIPTIONS`."""

    subscription_id: str

    def _key(self, name: str) -> str:
        return f"writethru:subscription:{{{self.subscription_id}}}:{name}"

    @property
    def state(self) -> str:
        """Hash: status and reason; since when it fails; until when it is left alone; replays."""
        return self._key("state")

    @property
    def told(self) -> str:
        """Hash: slug → the version that it has been told of, with twelve of its chain."""
        return self._key("told")

    @property
    def due(self) -> str:
        """Sorted set: slug → when to look what it lacks, in the engine's milliseconds."""
        return self._key("due")

    @property
    def news(self) -> str:
        """Hash: slug → the version that was heard of last, until there is nothing to tell."""
        return self._key("news")

    @property
    def sent(self) -> str:
        """Hash: slug → the message that has been sent at least once, or is about to be."""
        return self._key("sent")

    @property
    def tries(self) -> str:
        """Hash: slug → how often that message has failed."""
        return self._key("tries")

    @property
    def leases(self) -> str:
        """Hash: slug → who is at it, and until when that holds."""
        return self._key("leases")

    @property
    def overdue(self) -> str:
        """Hash: slug → since when it is overdue, until that is told."""
        return self._key("overdue")

    @property
    def recent(self) -> str:
        """List: the last attempts, newest first."""
        return self._key("recent")

    @property
    def dead(self) -> str:
        """List: messages that were given up, newest first."""
        return self._key("dead")

    @property
    def working(self) -> tuple[str, ...]:
        """What its scripts work on, in the order of their KEYS."""
        queue = (self.state, self.told, self.due, self.news, self.sent, self.tries, self.leases)
        return (*queue, self.recent, self.dead, self.overdue)
