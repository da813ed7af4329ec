"""Changes as an open page takes them: HTML of what has changed, lists of the page included."""

from __future__ import annotations

from services.deliver.changes import News, told
from services.deliver.reading import Reading
from shared.article.article import Head, Mark, newest_numbers
from shared.article.formats import open_page
from shared.article.formats.open_page import Beside, Taken
from shared.runtime.snapshots import Changes, Window


class Parts:
    """Writes changes as HTML. Lists are read only when a change says that they are others."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def __call__(self, since: Mark, changes: Changes) -> News | None:
        """Return *changes* as HTML; None if the article has moved on meanwhile."""
        head = changes.head
        if head.status == "killed":
            return told("killed", changes, open_page.killed(head))
        if changes.reset:
            return told("reset", changes, {"article": head.slug, "reset": True})
        if head.version == since.version:
            return told("nothing", changes)
        beside = None
        if open_page.lists_changed(head, since.version):
            beside = await self._beside(head)
            if beside is None:
                return None
        taken = [Taken(each.kind, each.update) for each in changes.changes]
        return told("change", changes, open_page.change(head, since.version, taken, beside))

    async def _beside(self, head: Head) -> Beside | None:
        async with self._reading.patience():
            newest = await self._reading.snapshots.read_window(head.slug, newest_numbers)
            front = await self._reading.marked.read_front(head.slug)
        if newest is None or front is None or not (_at(newest, head) and _at(front, head)):
            return None
        return Beside(newest.body, newest.updates, front.updates)


def _at(window: Window, head: Head) -> bool:
    return (window.head.version, window.head.chain) == (head.version, head.chain)
