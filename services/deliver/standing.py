"""How long what was read holds: until a change of it is heard of."""

from __future__ import annotations

from weakref import WeakValueDictionary

from services.deliver.hub import Hub
from services.deliver.outbox import Entry
from services.deliver.reading import Stand
from shared.article.article import Mark
from shared.runtime.clock import monotonic

#: What an article's page shows of others may be so old, but for a kill.
BESIDE_SECONDS = 1.0
_EVERYTHING = ""


class Standing:
    """One moment of an article, or of a list, and *until* when it holds as far as we know.

    *stand* is what an article's was when it was read, at *confirmed*.
    """

    __slots__ = ("__weakref__", "asking", "confirmed", "slug", "stand", "until")

    def __init__(self, slug: str = "") -> None:
        self.slug = slug
        self.until = float("inf")
        self.stand: Stand | None = None
        self.confirmed = 0.0
        self.asking = False

    def read(self, stand: Stand | None, asked: float) -> None:
        """Take note that the article stood at *stand* when the engine was *asked*."""
        if self.stand is None:
            self.stand, self.confirmed = stand, asked
        elif self.stand == stand:
            self.confirmed = max(self.confirmed, asked)
        else:
            self.end()

    def showed(self, mark: Mark) -> None:
        """Take note that what was made meanwhile is of *mark*: of another one, it doesn't hold.

        Else what an engine had before a failover would be shown for as long as the one that took
        over stands where the article stood when it was asked about.
        """
        if self.stand is not None and self.stand.mark != mark:
            self.end()

    def end(self) -> None:
        """Hold no longer."""
        self.until = 0.0


class Standings:
    """What holds now. It must be asked for before what it is to be about is read."""

    def __init__(self, hub: Hub) -> None:
        self._holding: WeakValueDictionary[str, Standing] = WeakValueDictionary()
        self._edition = Standing()
        self._edition_since = 0.0
        hub.listen(self)

    def of(self, slug: str) -> Standing:
        """Return what holds until a change of *slug* is heard of."""
        found = self._holding.get(slug)
        if found is None or not found.until:
            found = self._holding[slug] = Standing(slug)
        return found

    def of_everything(self) -> Standing:
        """Return what holds until any change is heard of."""
        return self.of(_EVERYTHING)

    def edition(self) -> Standing:
        """Return what holds for what is shown beside an article."""
        if (now := monotonic()) >= self._edition.until:
            self._edition, self._edition_since = Standing(), now
        return self._edition

    def heard(self, entry: Entry) -> None:
        """Nothing of before holds for the article and for lists."""
        for name in (entry.article, _EVERYTHING):
            if found := self._holding.pop(name, None):
                found.end()
        until = 0.0 if entry.killed else self._edition_since + BESIDE_SECONDS
        self._edition.until = min(self._edition.until, until)

    def missed(self) -> None:
        """Nothing of before holds."""
        for found in list(self._holding.values()):
            found.end()
        self._holding.clear()
        self._edition.end()
