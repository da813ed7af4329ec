"""The forms of updates that were read last: a ref names the same one until a refold."""

from __future__ import annotations

from collections import OrderedDict

from shared.article.article import Update

#: Slug, ref, and how often the article was refolded.
Place = tuple[str, str, bytes]


class Forms:
    """At most *limit* of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Place, Update] = OrderedDict()

    def find(self, place: Place) -> Update | None:
        update = self._kept.get(place)
        if update is not None:
            self._kept.move_to_end(place)
        return update

    def keep(self, place: Place, update: Update) -> Update:
        self._kept[place] = update
        if len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return update
