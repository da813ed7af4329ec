"""Deliver: how readers of open pages hear of changes, and of nothing twice.

As in `services/deliver`: the hub follows the outbox and tells channels how far an article is; a
channel tells its readers what they lack, by the version that each was told of last.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.simulation.article import Part, Position, State
from tests.simulation.keys import Head
from tests.simulation.model import Lane
from tests.simulation.steps import RESTS, Dice, Steps

TRIES = 5
#: Frames that wait for one reader at most.
ROOM = 1
#: So many turns of the hub are between two looks at what the outbox holds.
TURNS_A_LOOK = 6


class News(NamedTuple):
    """What a reader at version *start* lacks: "change", "reset", "killed", "unknown", "nothing"."""

    kind: str
    start: int
    head: Head
    body: Part | None = None
    updates: tuple[Part, ...] = ()

    @property
    def to(self) -> Position:
        return self.head.position


class Deliver:
    """What one process has in memory: its readers, and how far the articles are that they read."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.lives = 0
        self.die()

    def die(self) -> None:
        self.lives += 1
        self.place: int | None = None
        self.following = False
        self.newest: dict[str, Position | None] = {}
        self.at: dict[Follower, Position] = {}
        self.aside: set[Follower] = set()
        self.users: set[Follower] = set()
        self.woken: dict[str, None] = {}
        self.kept: dict[object, News] = {}

    def watch(self, reader: Follower) -> None:
        self.users.add(reader)
        self.newest.setdefault(reader.slug, None)

    def join(self, reader: Follower, mark: Position) -> None:
        self.at[reader] = mark
        if mark != self.newest.get(reader.slug):
            self.woken[reader.slug] = None

    def leave(self, reader: Follower) -> None:
        self.at.pop(reader, None)
        self.aside.discard(reader)
        self.users.discard(reader)
        if not any(other.slug == reader.slug for other in self.users):
            self.newest.pop(reader.slug, None)

    def announce(self, slug: str, mark: Position) -> None:
        if slug in self.newest:
            self.newest[slug] = mark
            self.woken[slug] = None

    def caught_up(self, reader: Follower) -> None:
        if reader in self.aside:
            self.aside.discard(reader)
            self.woken[reader.slug] = None

    # -- what a reader lacks --------------------------------------------------------------

    def since(self, slug: str, mark: Position) -> Steps[News | None]:
        """Read it, or take what was read for others; None if it changes too fast for that."""
        stand = self.lane.filed(slug).position
        yield "reads stand of", slug, stand[0]
        key = self.key(slug, mark, stand)
        if key not in self.kept:
            news = yield from self.read(slug, mark)
            if news is None:
                return None
            self.kept[key] = news
        if self.overtaken(self.kept[key], stand):
            return (yield from self.read(slug, mark))
        return self.kept[key]

    def overtaken(self, news: News, stand: Position) -> bool:
        """Whether a failover came between asking and reading, so that it must not be kept."""
        return news.to != stand and news.to[0] <= stand[0]

    def key(self, slug: str, mark: Position, stand: Position) -> object:
        return slug, mark, stand

    def read(self, slug: str, mark: Position) -> Steps[News | None]:
        for _ in range(TRIES):
            head, names, ours = self.lane.read_changed(slug, mark)
            yield "reads changed of", slug, head.version, *names
            if not head.version:
                return News("unknown", mark[0], head)
            if head.status == "killed":
                return News("killed", mark[0], head)
            if not self.ours(ours) or mark[0] > head.version:
                return News("reset", mark[0], head)
            if head.version == mark[0]:
                return News("nothing", mark[0], head)
            news = yield from self.change(slug, mark, head, names)
            if news is not None:
                return news
        return None

    def ours(self, ours: bool) -> bool:
        return ours

    def change(self, slug: str, mark: Position, head: Head, names: list[str]) -> Steps[News | None]:
        """Read what changed; None if the article has moved on meanwhile."""
        _, refs = self.lane.read_pointers(slug, names)
        new_body = head.body if head.body and version_of(head.body) > mark[0] else None
        wanted = [*refs.values(), *((new_body,) if new_body else ())]
        yield "reads refs of", slug, len(wanted)
        parts = self.lane.read_parts(slug, wanted)
        yield "reads changes of", slug, len(parts)
        if len(parts) < len(wanted) or len(refs) < len(names):
            return None
        now, _ = self.lane.read_head(slug)
        yield "looks again at", slug, now.version
        if not self.still(now, head):
            return None
        body = parts.pop() if new_body else None
        return News("change", mark[0], head, body, tuple(parts))

    def still(self, now: Head, head: Head) -> bool:
        return now == head


def version_of(ref: str) -> int:
    return int(ref.partition("@")[2].partition(".")[0])


class Hub:
    """Follows the outbox from the place it stands at; looks at heads where entries may be lost."""

    name = "hub"

    def __init__(self, deliver: Deliver) -> None:
        self.deliver, self.lane = deliver, deliver.lane

    def steps(self) -> Steps[None]:
        self.deliver.following = False
        while True:
            yield from self.look()
            for _ in range(TURNS_A_LOOK):
                changes = self.lane.read_changes(self.deliver.place or 0)
                for change in changes:
                    self.deliver.place = change.id
                    self.deliver.announce(change.slug, change.to)
                yield ("hears", *(change.id for change in changes)) if changes else RESTS

    def look(self) -> Steps[None]:
        """See whether the outbox still holds what we stand at; if not, look at the heads."""
        place = self.deliver.place
        last, unbroken = self.lane.outbox(place)
        yield "looks at outbox", last, unbroken
        broken = place is None or not unbroken
        if broken:
            self.deliver.place = last
        if self.may_lack(broken):
            for slug in list(self.deliver.newest):
                stand = self.lane.filed(slug).position
                yield "looks at head of", slug, stand[0]
                self.deliver.announce(slug, stand)
        self.deliver.following = True

    def may_lack(self, broken: bool) -> bool:
        return broken or not self.deliver.following


class Teller:
    """The channels of all articles, as one."""

    name = "channel"

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver

    def steps(self) -> Steps[None]:
        self.deliver.woken = dict.fromkeys(self.deliver.newest)
        while True:
            slug = next(iter(self.deliver.woken), None)
            if slug is None:
                yield RESTS
                continue
            del self.deliver.woken[slug]
            for mark in self.marks(slug):
                news = yield from self.deliver.since(slug, mark)
                if news is None:
                    self.deliver.woken[slug] = None
                else:
                    self.tell(slug, mark, news)
                    yield "tells of", slug, news.kind, mark[0], news.to[0]

    def marks(self, slug: str) -> list[Position]:
        marks = [mark for reader, mark in self.readers(slug)]
        return [mark for mark in dict.fromkeys(marks) if mark != self.deliver.newest.get(slug)]

    def readers(self, slug: str) -> list[tuple[Follower, Position]]:
        at, aside = self.deliver.at, self.deliver.aside
        return [(r, mark) for r, mark in at.items() if r.slug == slug and r not in aside]

    def tell(self, slug: str, mark: Position, news: News) -> None:
        for reader, at in self.readers(slug):
            if at != mark:
                continue
            if news.kind == "unknown":
                reader.hang_up()
            elif news.kind != "nothing" and not reader.write(news):
                self.put_aside(reader, news)
            elif news.kind == "killed":
                self.deliver.leave(reader)
            else:
                self.deliver.at[reader] = self.moved(slug, news)

    def put_aside(self, reader: Follower, news: News) -> None:
        self.deliver.aside.add(reader)

    def moved(self, slug: str, news: News) -> Position:
        return news.to


class Follower:
    """A page that is open: loaded once, then kept current by what it is told."""

    def __init__(self, name: str, slug: str, deliver: Deliver, dice: Dice) -> None:
        self.name, self.slug, self.deliver, self.dice = name, slug, deliver, dice
        self.lane = deliver.lane
        self.page = State()
        self.frames: list[News] = []

    def write(self, news: News) -> bool:
        if len(self.frames) >= ROOM:
            return False
        self.frames.append(news)
        return True

    def steps(self) -> Steps[None]:
        self.hang_up()
        while True:
            if self.page.status == "killed":
                # Nothing more is told of it; a reader who comes back loads it.
                if self.current:
                    yield RESTS
                else:
                    yield from self.load()
            elif not self.page.version:
                yield from self.load()
            elif self not in self.deliver.at:
                yield from self.connect()
            elif self.frames:
                self.take(self.frames.pop(0))
                yield "has by frames", self.slug, self.page.version
                if not self.frames:
                    self.deliver.caught_up(self)
            elif self.dice.mishap(0.05):
                self.hang_up()
                yield ("hangs up",)
            else:
                yield RESTS

    def hang_up(self) -> None:
        self.frames.clear()
        self.deliver.leave(self)

    def load(self) -> Steps[None]:
        head, refs = self.lane.read_head(self.slug)
        yield ("loads", self.slug, head.version) if head.version else RESTS
        wanted = (head.body, *refs) if head.body else refs
        parts = self.lane.read_parts(self.slug, wanted)
        if not head.version:
            self.page = State()
        elif len(parts) == len(wanted):
            body = parts.pop(0) if head.body else None
            self.show(State(*head.position, head.status, body, *head[4:], tuple(parts)))

    def connect(self) -> Steps[None]:
        """Be watched for first, then asked about, then told."""
        self.frames.clear()  # of the line before
        life = self.deliver.lives
        self.deliver.watch(self)
        yield "connects to", self.slug, self.page.version
        news = yield from self.deliver.since(self.slug, self.page.position)
        if news is None or life != self.deliver.lives:
            return
        if news.kind in {"killed", "unknown"}:
            self.take(news)
        else:
            self.deliver.join(self, self.page.position)

    def take(self, news: News) -> None:
        self.lane.evidence.told.append(
            (self.name, self.page.position, news.kind, news.start, news.to)
        )
        if news.kind in {"reset", "unknown"}:
            self.page = State()
            self.hang_up()
        elif news.kind == "killed":
            self.hang_up()
            self.show(State(*news.to, "killed"))
        else:
            updates = {part.number: part for part in (*self.page.updates, *news.updates)}
            parts = tuple(updates[number] for number in sorted(updates))
            body = news.body or self.page.body
            head = news.head
            self.show(State(*head.position, head.status, body, *head[4:], parts))

    def show(self, page: State) -> None:
        self.page = page
        self.lane.evidence.pages.append((self.slug, page))

    @property
    def current(self) -> bool:
        """Whether the page is what is committed, and nothing is under way to it."""
        return self.page.position == self.lane.filed(self.slug).position and not self.frames
