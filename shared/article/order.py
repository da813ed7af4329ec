"""The order in which an article shows its updates: release, turned round if asked, pin first."""

from __future__ import annotations

from collections.abc import Iterable

from shared.article.article import Head, Update


def displayed(head: Head, updates: Iterable[Update]) -> list[Update]:
    """Return *updates*, all of an article's or some, as its page orders them, top first."""
    turn = -1 if newest_first(head) else 1
    return sorted(updates, key=lambda each: (each.update_id != head.pinned, turn * each.number))


def newest_first(head: Head) -> bool:
    return head.update_order == "newest-first"
