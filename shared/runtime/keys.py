"""Every key in the engine, built here, or for outlets in `outlet_keys.py`, and nowhere else.

A lane is a hash tag: all keys of its articles stay on one node of a cluster, so that a script
may touch them together.
"""

from __future__ import annotations

from dataclasses import dataclass

META = "writethru:meta"
LANES = "writethru:lanes"
API_KEYS = "writethru:keys"
API_KEYS_USED = "writethru:keys:used"
INBOX = "writethru:inbox"
INBOX_READER = "writethru:inbox:reader"
REFUSED = "writethru:refused"
FINDINGS = "writethru:findings"
REDACTING = "writethru:redacting"
ARCHIVING = "writethru:archiving"
SUBSCRIPTIONS = "writethru:subscriptions"
SUBSCRIPTIONS_REVISION = "writethru:subscriptions:revision"
SUBSCRIPTIONS_READER = "writethru:subscriptions:reader"
SUBSCRIPTIONS_TESTS = "writethru:subscriptions:tests"
NOTICES = "writethru:notices"
RENDER_GROUP = "render"
WEBHOOKS_GROUP = "webhooks"
INBOX_GROUP = "ingest"


def failures(address: str, key_id: str) -> str:
    """Return the counter of wrong secrets from *address*; for unknown keys, *key_id* is empty."""
    return f"writethru:failures:{address}:{key_id}"


def filed(key_id: str) -> str:
    """Return the counter of events that a key with a rate has filed within a minute."""
    return f"writethru:filed:{key_id}"


def beside(key: str) -> str:
    """Return a key on the same node as *key*, for making it anew."""
    tag = key if key.startswith("{") else f"{{{key}}}"
    return f"{tag}:new"


@dataclass(frozen=True, slots=True)
class Lane:
    """One ordered stream of wake-ups, its outbox, and what is kept beside them."""

    tag: str

    def _key(self, name: str) -> str:
        return f"{{wt:{self.tag}}}:{name}"

    @property
    def events(self) -> str:
        """Stream: wake-ups with the event; group `render`."""
        return self._key("events")

    @property
    def changes(self) -> str:
        """Stream: the outbox, one entry a commit."""
        return self._key("changes")

    @property
    def dirty(self) -> str:
        """Sorted set: slug → engine's milliseconds since when it is behind."""
        return self._key("dirty")

    @property
    def latest(self) -> str:
        """Sorted set: slug → when it was updated, in microseconds."""
        return self._key("latest")

    @property
    def held(self) -> str:
        """Sorted set: slug → when its next held event is due, in the engine's milliseconds.

        Infinite where an editor has to say so.
        """
        return self._key("held")

    @property
    def ticks(self) -> str:
        """Sorted set: "<slug> <source>" → when to pull it next; "<slug>" → when to plan that."""
        return self._key("ticks")

    @property
    def failing(self) -> str:
        """Sorted set: "<slug> <source>" → since when the source fails."""
        return self._key("failing")

    @property
    def due(self) -> str:
        """Sorted set: slug → when its next change is due by its cadence, in milliseconds."""
        return self._key("due")

    @property
    def promised(self) -> str:
        """Sorted set: slug → when it will be overdue, unless there is news before."""
        return self._key("promised")

    @property
    def overdue(self) -> str:
        """Sorted set: slug → since when it is overdue; the newsroom has been told."""
        return self._key("overdue")

    @property
    def quarantined(self) -> str:
        """Hash: slug → a line for each event that could not be folded: seq, revision, why."""
        return self._key("quarantined")

    @property
    def promises(self) -> tuple[str, ...]:
        """What says how articles keep to their cadence."""
        return (self.due, self.promised, self.overdue)

    @property
    def redactions(self) -> str:
        """Set: "<slug> <seq>" of each redaction whose text is still to be destroyed."""
        return self._key("redactions")

    @property
    def awaited(self) -> str:
        """String, empty: written last where a write waits for replicas."""
        return self._key("awaited")

    def article(self, slug: str) -> ArticleKeys:
        """Return the keys of one of this lane's articles."""
        return ArticleKeys(self, slug)


@dataclass(frozen=True, slots=True)
class ArticleKeys:
    """The keys of one article."""

    lane: Lane
    slug: str

    def _key(self, name: str) -> str:
        return f"{{wt:{self.lane.tag}}}:{name}:{self.slug}"

    @property
    def ledger(self) -> str:
        """List: event n at place n-1. The truth."""
        return self._key("ledger")

    @property
    def seen(self) -> str:
        """Hash: id and source → seq, chain and fingerprint; or `held` or `spiked` for a seq."""
        return self._key("seen")

    @property
    def article(self) -> str:
        """Hash: seq and chain as filed, version and chain as rendered."""
        return self._key("article")

    @property
    def posted(self) -> str:
        """Hash: update_id → live, held or retracted, as filed."""
        return self._key("posted")

    @property
    def holds(self) -> str:
        """Hash: id and source → an event that is held, and so has no seq yet."""
        return self._key("held")

    @property
    def sources(self) -> str:
        """Hash: name → what operators say of a source that is pulled."""
        return self._key("sources")

    @property
    def pulled(self) -> str:
        """Hash: name → how far a source was pulled; `<name> seen` → its entries as they were."""
        return self._key("pulled")

    @property
    def pulses(self) -> str:
        """Hash: name → how a source does that is pulled on the cadence."""
        return self._key("pulses")

    @property
    def filing(self) -> tuple[str, ...]:
        """What the scripts that file an event work on, in the order of their KEYS."""
        lane = self.lane
        filed = (self.seen, self.article, self.posted, self.ledger, lane.events, lane.dirty)
        return (*filed, self.holds, lane.held, lane.redactions, lane.ticks, self.sources)

    @property
    def committing(self) -> tuple[str, ...]:
        """What the script that commits a fold works on, in the order of its KEYS."""
        lane = self.lane
        stored = (self.state, self.updates, self.pages, self.changed)
        streams = (lane.changes, lane.events, lane.dirty, lane.latest)
        lists = (self.noted, self.key_events, lane.quarantined, *lane.promises)
        return (self.article, self.ledger, *stored, *streams, *lists)

    @property
    def archivable(self) -> tuple[str, ...]:
        """What leaves the engine beside the ledger when the article is archived."""
        return (self.updates, self.pages, self.changed, self.noted, self.key_events)

    @property
    def state(self) -> str:
        """Hash: the head at `version`, and the name of the body."""
        return self._key("state")

    @property
    def updates(self) -> str:
        """Hash: update_id → ref, and ref → the update."""
        return self._key("updates")

    @property
    def pages(self) -> str:
        """Hash: page number → refs of its updates, oldest first."""
        return self._key("pages")

    @property
    def changed(self) -> str:
        """Sorted set: update_id → version of its last change."""
        return self._key("changed")

    @property
    def noted(self) -> str:
        """Sorted set: update_id → version of its last correction, or of its retraction."""
        return self._key("noted")

    @property
    def key_events(self) -> str:
        """Sorted set: update_id → number, of the live key events."""
        return self._key("key_events")
