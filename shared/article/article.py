"""The state: an article as it stands at one version, and an event with its place in the ledger.

Everything here is a value: what looks like a change makes a new one. Updates are known by
*number*, the order of their release, which never changes; a page is fifty of them cut from the
oldest end, so a full page never shifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from shared.contract.acts import Image, Order, Source
from shared.contract.events import Event

PAGE_SIZE = 50
WORDS_A_MINUTE = 200

Status = Literal["unpublished", "live", "closed", "killed"]


@dataclass(frozen=True, slots=True)
class Note:
    """What an editor tells readers about an act; *kind* is the act's last word on the wire.

    *version* is the one that an update's note came with: notes are ordered by it, not by time.
    """

    kind: str
    time: datetime
    note: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the body. A paragraph's *text* is plain, another's as in the source."""

    kind: Literal["heading", "paragraph", "other"]
    text: str
    html: str
    level: int | None = None
    teaser: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The copy above the updates: its Markdown *source* and what it reads as."""

    source: str = ""
    blocks: tuple[Block, ...] = ()
    words: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """An update's text: the Markdown *source*, plain *text*, safe *html*."""

    source: str
    text: str
    html: str
    words: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A version and the first twelve characters of its chain: a place in one history."""

    version: int = 0
    chain12: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """One timestamped entry. A retracted one keeps its place, time and notes, and no copy.

    *number* counts releases from 1; *posted* is the version that brought it, *changed* the
    one that changed it last.
    """

    update_id: str
    number: int
    posted: int
    changed: Mark
    time: datetime
    copy: Copy | None
    headline: str | None = None
    authors: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    images: tuple[Image, ...] = ()
    key_event: bool = False
    urgency: int | None = None
    provenance: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def retracted(self) -> bool:
        """Whether its text is gone."""
        return self.copy is None

    @property
    def noted(self) -> int:
        """The version of its last note, 0 without one."""
        return self.notes[-1].version if self.notes else 0

    @property
    def page(self) -> int:
        """The page that holds it, from 1."""
        return page_of(self.number)


@dataclass(frozen=True, slots=True)
class Head:
    """The facts of an article at *version*, small whatever its length.

    *posted* counts every update ever posted, *update_count* the live ones. *arranged* is the
    version at which zone, locale or order changed last: a reader from before sees other lines
    everywhere, so it has to load the page. Likewise *noted* is the version at which the list of
    corrections changed last, *keyed* that of the key events, *sourced* that of the sources of any
    update, *titled* that of what stands above the copy: headline, summary, authors, cadence, status
    and note.
    """

    slug: str
    version: int = 0
    chain: str = ""
    status: Status = "unpublished"
    headline: str = ""
    opened_at: datetime | None = None
    published_at: datetime | None = None
    closed_at: datetime | None = None
    acted_at: datetime | None = None
    timezone: str = "UTC"
    locale: str = "en-US"
    cadence_seconds: int | None = 600
    section: str | None = None
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    summary: str | None = None
    image: Image | str | None = None
    canonical_url: str | None = None
    update_order: Order = "oldest-first"
    pinned: str | None = None
    posted: int = 0
    update_count: int = 0
    update_words: int = 0
    body_words: int = 0
    body: Mark = Mark()
    arranged: int = 0
    titled: int = 0
    noted: int = 0
    keyed: int = 0
    sourced: int = 0
    note: Note | None = None
    quarantined: tuple[int, ...] = ()

    @property
    def updated_at(self) -> datetime | None:
        """The latest of publication, writethrus, posts, corrections and retractions."""
        times = [time for time in (self.published_at, self.acted_at) if time]
        return max(times, default=None)

    @property
    def reading_minutes(self) -> int:
        """Minutes to read body and live updates, rounded up, at least 1."""
        return max(1, -(-(self.body_words + self.update_words) // WORDS_A_MINUTE))

    @property
    def withdrawal(self) -> Note:
        """When and why the article was killed; ValueError if it was not."""
        if self.status != "killed" or self.note is None:
            raise ValueError(f"{self.slug} is not killed")
        return self.note

    @property
    def page_count(self) -> int:
        """How many pages the updates fill."""
        return page_of(self.posted) if self.posted else 0


@dataclass(frozen=True, slots=True)
class Article:
    """A whole article: *updates* by id, in the order of their release."""

    head: Head
    body: Body = Body()
    updates: Mapping[str, Update] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """An event at its place in the ledger; *event* is None where it can't be read any more."""

    seq: int
    chain: str
    event: Event | None


def page_of(number: int) -> int:
    """Return the page that holds update *number*; both count from 1."""
    return (number - 1) // PAGE_SIZE + 1


def newest_numbers(head: Head) -> range:
    """Return the numbers of the newest fifty updates, oldest first."""
    return range(max(0, head.posted - PAGE_SIZE) + 1, head.posted + 1)
