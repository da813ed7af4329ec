"""The archive: articles leave the engine and nothing of them is lost, whoever dies where."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.ingest.append import UNREADABLE, Appender
from services.render.archiving import Archiver
from services.render.store import Store
from services.render.verify import every_article, verify
from shared.article.article import Mark, newest_numbers
from shared.contract.errors import Busy
from shared.contract.events import parse_event
from shared.runtime.archive import Archive, ArchiveError
from shared.runtime.installation import Installation
from shared.runtime.ledgers import Ledgers
from shared.runtime.marked import Marked
from shared.runtime.restore import Restorer
from shared.runtime.shelf import Shelves
from shared.runtime.snapshots import Snapshots
from tests.builders import (
    SLUG,
    closed,
    corrected,
    killed,
    pinned,
    posted,
    published,
    redacted,
    reopened,
    retracted,
)
from tests.integration.newsroom import Newsroom, dump, open_newsroom

POSTS = 60


class Desk:
    """A newsroom with an archive, and a closed article of two pages in it."""

    def __init__(self, newsroom: Newsroom, folder: Path) -> None:
        self.newsroom = newsroom
        self.redis = newsroom.redis
        self.keys = newsroom.keys()
        self.archive = Archive(folder)
        self.here = Installation(newsroom.lanes, newsroom.key)
        self.store = Store(self.redis, newsroom.lanes, archive=self.archive)
        self.archiver = Archiver(self.redis, self.here, self.archive, after=0)
        self.appender = Appender(self.redis, self.here, "fsync", self.archive)

    def snapshots(self) -> Snapshots:
        return Snapshots(self.redis, self.newsroom.lanes, shelves=Shelves(self.archive))

    async def file(self, *envelopes: dict[str, Any]) -> list[str]:
        """File as ingest does, and return what became of each."""
        receipts = await self.appender.append([parse_event(each) for each in envelopes])
        return [each.status for each in receipts]

    async def render(self) -> None:
        await Store(self.redis, self.newsroom.lanes, archive=self.archive).render(SLUG)

    async def shown(self) -> list[Any]:
        """Return all that readers can get of the article."""
        snapshots = self.snapshots()
        marked = Marked(self.redis, self.newsroom.lanes, snapshots)
        ledger = await Ledgers(self.redis, self.newsroom.lanes, self.archive).read(SLUG, 0, 999)
        article = await snapshots.read_article(SLUG)
        assert article is not None
        half = Mark(30, "")
        return [
            article,
            await snapshots.read_head(SLUG),
            await snapshots.read_window(SLUG, newest_numbers),
            await snapshots.read_update(SLUG, "u3"),
            await snapshots.read_update(SLUG, "none"),
            [_told(await snapshots.changed_since(SLUG, mark)) for mark in (Mark(), half)],
            _told(await snapshots.changed_since(SLUG, Mark(5, "0" * 12))),
            await marked.read_front(SLUG),
            await marked.read_noted(SLUG),
            ledger,
        ]

    async def whole(self) -> list[str]:
        """Return what verify finds."""
        shelves = Shelves(self.archive)
        found = await verify(self.redis, self.here.lanes, self.here.key, SLUG, shelves)
        return found.differences

    def files(self) -> list[str]:
        return sorted(each.name for each in self.archive.places())

    async def names(self) -> set[str]:
        """Return which kinds of keys the engine has of the article."""
        found: Any = await self.redis.keys(f"*:{SLUG}")
        return {name.decode().split(":")[2] for name in found}


def _told(changes: Any) -> Any:
    return changes and (changes.head, changes.reset, changes.body, changes.changes)


@pytest.fixture
async def desk(redis: Redis, tmp_path: Path) -> Desk:
    desk = Desk(await open_newsroom(redis), tmp_path / "archive")
    await desk.newsroom.file(published())
    await desk.newsroom.file(*(posted(f"u{n}", key_event=n % 7 == 0) for n in range(POSTS)))
    await desk.newsroom.file(corrected("u3"), retracted("u5"), pinned("u2"), closed())
    await desk.render()
    return desk


async def test_an_archived_article_is_read_as_before_in_every_way(desk):
    # given what readers get of an article
    before = await desk.shown()
    # when it is archived
    assert await desk.archiver.archive(SLUG)
    # then they get the same, and it verifies
    assert await desk.shown() == before
    assert await desk.whole() == []
    # though the engine has only its facts, its head and the ids that are taken
    assert await desk.names() == {"article", "state", "seen", "posted"}


async def test_what_is_brought_back_is_what_was_archived(desk):
    # given all that the engine holds of an article
    streams = [key for lane in desk.here.lanes for key in (lane.changes, lane.events)]
    before = await dump(desk.redis, but=streams)
    # when it is archived, brought back and rendered
    assert await desk.archiver.archive(SLUG)
    assert await Restorer(desk.redis, desk.archive).restore(desk.keys)
    during = await desk.shown()
    await desk.render()
    # then the engine holds the same, and readers were told nothing
    assert await dump(desk.redis, but=streams) == before
    assert await desk.shown() == during
    assert await desk.redis.xlen(desk.keys.lane.changes) == 1


async def test_a_file_is_on_the_disk_whole_and_for_nobody_else(desk):
    await desk.archiver.archive(SLUG)

    (path,) = desk.archive.folder.glob("*/*")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert desk.archive.read(desk.files()[0]).records[0].startswith(b'{"seq":1,')


ACTS = {
    "correction": (corrected("u9"), "accepted"),
    "retraction": (retracted("u9"), "accepted"),
    "reopening": (reopened(), "accepted"),
    "kill": (killed(), "accepted"),
    "redaction": (redacted("u9"), "accepted"),
    "post": (posted("new"), "rejected"),
    "slug": (published(), "rejected"),
}


@pytest.mark.parametrize("act", ACTS)
async def test_an_act_on_an_archived_article_is_judged_and_folded_as_ever(desk, act):
    # given an archived article
    await desk.archiver.archive(SLUG)
    envelope, status = ACTS[act]
    # when an event is filed for it
    assert await desk.file(envelope) == [status]
    await desk.render()
    # then it is as if it had never been away
    assert await desk.whole() == []
    assert await desk.newsroom.version() == POSTS + 5 + (status == "accepted")
    # and the file is gone if the article has moved on
    assert len(desk.files()) == (status == "rejected")


async def test_events_of_before_are_duplicates_and_bring_nothing_back(desk):
    envelope = posted("u-known", id="known")
    await desk.file(reopened(), envelope, closed())
    await desk.render()
    await desk.archiver.archive(SLUG)

    assert await desk.file(envelope) == ["duplicate"]
    assert await desk.names() == {"article", "state", "seen", "posted"}


async def test_the_text_of_a_killed_article_is_in_no_file(desk):
    await desk.archiver.archive(SLUG)
    await desk.file(killed())
    await desk.render()
    assert desk.files() == []


async def test_a_kill_after_a_restore_leaves_no_file_either(desk):
    await desk.archiver.archive(SLUG)
    await Restorer(desk.redis, desk.archive).restore(desk.keys)
    await desk.render()
    assert len(desk.files()) == 1

    await desk.file(killed())
    await desk.render()

    assert desk.files() == []


async def test_readers_have_the_archived_article_until_the_one_brought_back_is_rendered(desk):
    await desk.archiver.archive(SLUG)
    before = await desk.shown()

    await desk.file(corrected("u9"))

    assert (await desk.shown())[:-1] == before[:-1]
    assert len(await Ledgers(desk.redis, desk.here.lanes, desk.archive).read(SLUG, 0, 999)) == 66


# Whoever dies where.


def dies(*_: object) -> None:
    raise OSError("the process has died")


async def test_death_before_the_file_is_whole_leaves_the_article_where_it_was(desk, monkeypatch):
    # given an archiver that dies while it writes
    before = await desk.shown()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", dies)
        with pytest.raises(ArchiveError):
            await desk.archiver.archive(SLUG)
    # then there is no file, the article is there, and another archiver does it
    assert desk.files() == []
    assert await desk.shown() == before
    assert await desk.archiver.archive(SLUG)
    assert await desk.shown() == before


async def test_death_between_the_file_and_the_engine_leaves_the_article_in_both(desk, monkeypatch):
    # given an archiver that dies when the file is there
    before = await desk.shown()
    with monkeypatch.context() as patch:
        patch.setattr(Archiver, "_let_go", dies)
        with pytest.raises(OSError, match="died"):
            await desk.archiver.archive(SLUG)
    assert len(desk.files()) == 1
    assert await desk.shown() == before
    # then no tidying takes the file away, for another archiver may be about to name it
    await desk.archiver.tidy()
    assert len(desk.files()) == 1
    assert await desk.archiver.archive(SLUG)
    assert await desk.shown() == before


async def test_a_file_that_an_event_has_overtaken_is_not_named_and_is_removed(desk, monkeypatch):
    # given an archiver that is slow: when its file is there, the article is another
    let_go: Callable[..., Any] = Archiver._let_go

    async def slow(self: Archiver, *words: Any) -> bool:
        await desk.file(corrected("u9"))
        return bool(await let_go(self, *words))

    monkeypatch.setattr(Archiver, "_let_go", slow)
    # then nothing leaves the engine
    assert not await desk.archiver.archive(SLUG)
    await desk.render()
    assert await desk.whole() == []
    # and the file goes
    await desk.archiver.tidy()
    assert desk.files() == []


async def test_a_restore_that_was_broken_off_goes_on_and_two_at_once_are_one(desk, monkeypatch):
    # given an article of which the first portion was brought back
    before = await desk.shown()
    await desk.archiver.archive(SLUG)
    monkeypatch.setattr("shared.runtime.restore.BYTES_A_STEP", 1_000)
    records = (await desk.shown())[-1]
    await desk.redis.rpush(desk.keys.ledger, *records[:7])
    # then readers have it all
    assert await desk.shown() == before
    # when two bring it back at once
    one, other = (Restorer(desk.redis, desk.archive) for _ in range(2))
    assert [await one.restore(desk.keys), await other.restore(desk.keys)] == [True, False]
    await desk.render()
    # then each event is there once
    assert await desk.whole() == []
    assert await desk.shown() == before


# What can't be.


async def test_what_does_not_verify_is_not_archived(desk):
    await desk.redis.hset(desk.keys.state, "head", "{}")

    assert not await desk.archiver.archive(SLUG)
    assert desk.files() == []


async def test_only_what_was_closed_for_long_is_due(desk):
    await desk.newsroom.file(published(slug="live"))

    assert [slug async for slug in desk.archiver.due()] == [SLUG]
    young = Archiver(desk.redis, desk.here, desk.archive, after=3_600)
    assert [slug async for slug in young.due()] == []
    await desk.archiver.archive(SLUG)
    assert [slug async for slug in desk.archiver.due()] == []
    assert {slug async for slug in every_article(desk.redis, desk.here.lanes)} == {SLUG, "live"}


@pytest.mark.parametrize("damage", ["gone", "damaged", "another"])
async def test_a_file_that_cannot_be_read_is_said_to_be_so_and_nothing_is_stored(desk, damage):
    # given an archived article whose file is lost
    await desk.archiver.archive(SLUG)
    (path,) = desk.archive.folder.glob("*/*")
    kept = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "another" else kept[:-9] + b"\0" + kept[-8:])
    # then readers and publishers are told to come back
    with pytest.raises(Busy):
        await desk.snapshots().read_article(SLUG)
    receipts = await desk.appender.append([parse_event(corrected("u9"))])
    assert [(each.status, each.problem["detail"]) for each in receipts] == [
        ("rejected", UNREADABLE)
    ]
    assert await desk.whole() == ["archive: its file can't be read, see the log"]
    # and once it is there again, all is well
    path.write_bytes(kept)
    assert await desk.whole() == []
    assert await desk.file(corrected("u9")) == ["accepted"]


async def test_nothing_overtakes_an_event_whose_article_cannot_be_brought_back(desk, monkeypatch):
    # given an archive that can be read only from the second time on
    await desk.archiver.archive(SLUG)
    read, times = Archive.read, iter([True])

    def flaky(self: Archive, name: str) -> Any:
        if next(times, False):
            raise ArchiveError("not now")
        return read(self, name)

    monkeypatch.setattr(Archive, "read", flaky)
    monkeypatch.setattr("services.ingest.append.STEP_EVENTS", 1)
    # when two events are filed at once, then neither is stored
    assert await desk.file(reopened(), posted("new")) == ["rejected", "rejected"]
    assert await desk.file(reopened(), posted("new")) == ["accepted", "accepted"]
