"""Where an update stands on the page, told without reading the whole article."""

from __future__ import annotations

from collections.abc import Mapping

from shared.article.article import Head, Update
from shared.article.order import newest_first


def numbers_above(head: Head, number: int) -> tuple[int, ...]:
    """Return the numbers that may stand right above update *number*, the likeliest first.

    Two, because the first of them may be the pinned one, which stands elsewhere.
    """
    step = 1 if newest_first(head) else -1
    near = (number + step, number + 2 * step)
    return tuple(each for each in near if 1 <= each <= head.posted)


def above(head: Head, update: Update, ids: Mapping[int, str]) -> str | None:
    """Return the id of the update that *update* follows on the page; None for the first.

    *ids* must name those of `numbers_above`.
    """
    if update.update_id == head.pinned:
        return None
    near = (ids[number] for number in numbers_above(head, update.number))
    return next((each for each in near if each != head.pinned), head.pinned)
