"""The order in which an article shows its updates: release, turned round if asked, pin first."""

from __future__ import annotations

from collections.abc import Iterator

from shared.article.article import Article, Head, Update


def displayed(article: Article) -> Iterator[Update]:
    """Yield every update, top of the page first."""
    pinned = article.updates.get(article.head.pinned or "")
    if pinned is not None:
        yield pinned
    released = tuple(article.updates.values())
    for update in reversed(released) if newest_first(article.head) else released:
        if update is not pinned:
            yield update


def newest_first(head: Head) -> bool:
    return head.update_order == "newest-first"
