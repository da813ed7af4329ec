"""Held events: the part of the engine that keeps what has no number yet.

`hold` is a branch of append.lua; `release` and `spike` decide in the order of release.lua and
spike.lua. The engine's time is a number, which misfortune may set back and forth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from tests.simulation.article import TAKES_BACK, Event, refusal
from tests.simulation.keys import Evidence, Hold, Keys, Receipt
from tests.simulation.redacting import Masks, Redacting


class Holding(Redacting):
    """What append, release and spike do with held events; the rest of the lane is beside it."""

    articles: dict[str, Keys]
    evidence: Evidence
    held: dict[str, float]
    time: int

    def store(self, event: Event) -> Receipt:
        raise NotImplementedError

    # -- ingest ---------------------------------------------------------------------------

    def held_back(self, event: Event, masks: Masks) -> Receipt | None:
        """Hold *event*, or take back what is held, where either is due; else None."""
        keys = self.articles[event.slug]
        if event.act == "killed":
            taken = self._take_back(event, lambda hold: True)
            if keys.status != "held":
                return None
            keys.status = "killed"
            return taken
        if event.act in TAKES_BACK and keys.posted[event.update] == "held":
            taken = self._take_back(event, lambda hold: hold.event.update == event.update)
            keys.posted[event.update] = "retracted"
            if event.act == "redacted":
                self.destroy(event, masks)
            return taken
        if event.act == "redacted":
            return self._redact(event, masks)
        return self._hold(event) if self._waits(keys, event) else None

    def _redact(self, event: Event, masks: Masks) -> Receipt | None:
        """Destroy what was filed. Before the article is released the act waits with it."""
        keys = self.articles[event.slug]
        if keys.status == "held":
            self.destroy(event, masks)
            return self._hold(event)
        self._spike(event.slug, self._about(keys, event.update))
        self.destroy(event, masks, keys.seq + 1)
        return None

    def _about(self, keys: Keys, update: str) -> list[Hold]:
        return [hold for hold in keys.holds.values() if hold.event.update == update]

    def _waits(self, keys: Keys, event: Event) -> bool:
        return event.due > self.time or event.check or self._builds_on(keys, event)

    def _builds_on(self, keys: Keys, event: Event) -> bool:
        return keys.status == "held" or keys.posted.get(event.update) == "held"

    def _hold(self, event: Event) -> Receipt:
        keys = self.articles[event.slug]
        behind = self._builds_on(keys, event)
        keys.orders += 1
        stop = "check" if event.check and event.act not in TAKES_BACK else ""
        keys.holds[event.key] = Hold(keys.orders, event, stop)
        keys.seen[event.key] = (0, "held", event.fingerprint)
        if event.act == "published":
            keys.status = "held"
        elif event.act == "posted":
            keys.posted[event.update] = "held"
        if not behind:
            due = inf if stop else event.due
            self.held[event.slug] = min(due, self.held.get(event.slug, inf))
        self.file.add(event.text)
        self.evidence.held.add((event.slug, *event.key))
        self.evidence.touched = event.slug
        return Receipt("held")

    def _take_back(self, event: Event, chosen: Callable[[Hold], bool]) -> Receipt:
        keys = self.articles[event.slug]
        if keys.status == "held" or keys.posted.get(event.update) == "held":
            keys.seen[event.key] = (0, "spiked", event.fingerprint)
        self._spike(event.slug, [hold for hold in keys.holds.values() if chosen(hold)])
        return Receipt("held")

    def _spike(self, slug: str, holds: Iterable[Hold]) -> None:
        keys = self.articles[slug]
        for hold in holds:
            del keys.holds[hold.event.key]
            keys.seen[hold.event.key] = (0, "spiked", hold.event.fingerprint)
        self._expect(slug)
        self.evidence.touched = slug

    # -- release --------------------------------------------------------------------------

    def due(self) -> list[str]:
        """TIME, and ZRANGE: the articles that have something to release."""
        return [slug for slug, at in self.held.items() if at <= self.time]

    def release(self, slug: str, picked: tuple[str, str] | None = None) -> list[Event]:
        """Release what is due, or what an editor has *picked*, whatever its time; return it."""
        keys, released = self.articles[slug], []
        if picked is not None and not self._lift(keys, picked):
            self._expect(slug)
            return []
        at = self._schedule(keys)
        for hold in sorted(keys.holds.values(), key=lambda hold: (at[hold.event.key], hold.order)):
            event = hold.event
            if at[event.key] > self.time or self._behind(keys, event):
                continue
            if code := self._problem(keys, event):
                keys.holds[event.key] = hold._replace(stop=code, lifted=False)
                continue
            del keys.holds[event.key]
            self.store(event)
            released.append(event)
        self._expect(slug)
        self.evidence.touched = slug
        return released

    def _lift(self, keys: Keys, picked: tuple[str, str]) -> bool:
        """Lift what stands in the way of *picked*: its stop first, then its embargo."""
        hold = keys.holds.get(picked)
        if hold is None or (self._behind(keys, hold.event) and not hold.stop):
            return False
        keys.holds[picked] = hold._replace(stop="")
        self.evidence.looked_at.add((hold.event.slug, *picked))
        if hold.stop and self._schedule(keys)[picked] > self.time:
            return False
        keys.holds[picked] = hold._replace(stop="", lifted=True)
        self.evidence.lifted.add((hold.event.slug, *picked))
        return True

    def spike(self, slug: str, picked: tuple[str, str]) -> list[Event]:
        """Take out what an editor has *picked*, and what builds on it; return it."""
        keys = self.articles[slug]
        root = keys.holds.get(picked)
        if root is None:
            return []
        spiked = [hold for hold in keys.holds.values() if _goes_with(hold, root)]
        self._spike(slug, spiked)
        for event in (hold.event for hold in spiked):
            if event.act == "posted":
                del keys.posted[event.update]
            elif event.act == "published":
                keys.status = None
            self.evidence.spiked.add((slug, *event.key))
        return [hold.event for hold in spiked]

    def _behind(self, keys: Keys, event: Event) -> bool:
        if event.act != "published" and keys.status == "held":
            return True
        return event.act != "posted" and keys.posted.get(event.update) == "held"

    def _problem(self, keys: Keys, event: Event) -> str | None:
        """Judge *event* as if it were filed now: its own name is held while it is."""
        status = None if keys.status == "held" else keys.status
        posted = {name: state for name, state in keys.posted.items() if state != "held"}
        return refusal(event, status, posted)

    def _schedule(self, keys: Keys) -> Mapping[tuple[str, str], float]:
        """Say when each may be released: not before what it builds on, which came earlier."""
        opening, posts = 0.0, dict[str, float]()
        at: dict[tuple[str, str], float] = {}
        for key, (_, event, stop, lifted) in keys.holds.items():
            own = inf if stop else 0 if lifted else event.due
            at[key] = max(own, opening, posts.get(event.update, 0.0))
            if event.act == "published":
                opening = at[key]
            elif event.act == "posted":
                posts[event.update] = at[key]
        return at

    def _expect(self, slug: str) -> None:
        """Say when to look at the article again."""
        at = self._schedule(self.articles[slug])
        if at:
            self.held[slug] = min(at.values())
        else:
            self.held.pop(slug, None)


def _goes_with(hold: Hold, root: Hold) -> bool:
    if root.event.act == "published":
        return True
    posts = root.event.act == "posted" and hold.event.update == root.event.update
    return hold == root or posts
