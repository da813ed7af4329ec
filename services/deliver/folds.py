"""Articles as they stood, kept while there is room, so that a neighbour is soon folded."""

from __future__ import annotations

from collections import OrderedDict

from shared.article.article import Article, Head, Update
from shared.article.visible import TakenBack

#: Roughly, in bytes.
LIMIT = 64 * 1024 * 1024
_AN_ARTICLE = 4_096
_AN_ENTRY = 128
_AN_UPDATE = 1_024

_Key = tuple[str, TakenBack, int]


class Folds:
    """The articles used last, up to *limit* bytes.

    They are known by slug, version and what was taken back: when more was, what was folded with
    less of it is forgotten. What several have in common is counted once, with the last of them.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[_Key, tuple[Article, int]] = OrderedDict()

    @property
    def size(self) -> int:
        """How many bytes are kept, roughly."""
        return self._size

    def nearest(self, slug: str, taken: TakenBack, number: int) -> Article:
        """Return the newest form of *slug* up to version *number*; an empty one if none is kept."""
        found = [
            key for key in self._kept if key[0] == slug and key[1] == taken and key[2] <= number
        ]
        if not found:
            return Article(Head(slug))
        key = max(found, key=lambda each: each[2])
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, taken: TakenBack, article: Article, base: int) -> None:
        """Keep *article*, which was folded on from version *base*."""
        head = article.head
        key = head.slug, taken, head.version
        self.drop(key)
        new = (each for each in article.updates.values() if each.changed.version > base)
        size = _AN_ARTICLE + 3 * len(article.body.source) + _AN_ENTRY * len(article.updates)
        size += sum(map(_bytes_of, new))
        self._kept[key] = article, size
        self._size += size
        while self._size > self._limit:
            self.drop(next(iter(self._kept)))

    def forget(self, slug: str, but: TakenBack | None = None) -> None:
        """Drop all forms of *slug*, but those folded with *but* taken back."""
        for key in [key for key in self._kept if key[0] == slug and key[1] != but]:
            self.drop(key)

    def drop(self, key: _Key) -> None:
        """Drop one form, if it is there."""
        _, size = self._kept.pop(key, (None, 0))
        self._size -= size


def _bytes_of(update: Update) -> int:
    copy = update.copy
    return _AN_UPDATE + (len(copy.source) + len(copy.text) + len(copy.html) if copy else 0)
