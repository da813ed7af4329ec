"""The order in which an article shows its updates: release, turned round if asked, pin first."""

from __future__ import annotations

from collections.abc import Iterable

from shared.article.article import Head, Update


def displayed(head: Head, updates: Iterable[Update], *, pinned_first: bool = True) -> list[Update]:
    """Return *updates*, all of an article's or some, as its page orders them, top first.

    A page of earlier updates leaves the pinned one in its place: not *pinned_first*.
    """
    turn = -1 if newest_first(head) else 1
    first = head.pinned if pinned_first else None
    return sorted(updates, key=lambda each: (each.update_id != first, turn * each.number))


def newest_first(head: Head) -> bool:
    return head.update_order == "newest-first"
