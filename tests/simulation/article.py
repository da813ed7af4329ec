"""What is filed, when an act is legal, and what a fold makes of it.

The copy is a word that no other event has, a fingerprint is the event spelled out: enough to tell
any two histories apart, and to find a text that must not exist, which is all that the protocol is
asked to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha1
from typing import NamedTuple
from zlib import crc32

#: A place in one history: a version and the chain that names the events behind it.
Position = tuple[int, str]

#: As an event's base: whatever `seq` the article has when the client comes to send it.
NEWEST = -1

#: What a redaction leaves of a text.
MASK = "-"
TAKES_BACK = frozenset({"retracted", "redacted"})


class Event(NamedTuple):
    """An act that a client files; *text* is a word of its own.

    *base* is the `seq` after which it must come, if any; *due* is the end of its embargo;
    *check* says that an editor has to look at it.
    """

    slug: str
    source: str
    id: str
    act: str
    update: str = ""
    text: str = ""
    base: int | None = None
    due: int = 0
    check: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.id

    @property
    def fingerprint(self) -> str:
        said = f"{self.act} {self.update} {self.text} {self.due}"
        return f"{self.slug} {self.source} {self.id} {said}"


class Entry(NamedTuple):
    """An event at its place in the ledger. A redaction masks its text, and nothing else of it."""

    seq: int
    chain: str
    event: Event
    fingerprint: str

    def masked(self) -> Entry:
        return self._replace(event=self.event._replace(text=MASK))


class Part(NamedTuple):
    """The body or one update, as it stands since *version*; without *text*, retracted.

    *number* counts updates from 0, in the order of their release. The *ref*, the name that its
    bytes are stored under, says in which history it came to be so: whoever folds that history
    gives the same bytes the same name, and no other bytes.
    """

    name: str
    number: int
    text: str | None
    version: int
    chain: str

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}.{self.chain[:12]}"


BODY = ":body"


class State(NamedTuple):
    """An article at one version; *posted* counts its updates, *said* sums up all that was filed.

    A renderer folds onto a part of the state: the *updates* that the events name, and no body,
    so a body or an update of a higher version is one that the fold made.
    """

    version: int = 0
    chain: str = ""
    status: str | None = None
    body: Part | None = None
    posted: int = 0
    said: int = 0
    updates: tuple[Part, ...] = ()

    @property
    def position(self) -> Position:
        return self.version, self.chain

    @property
    def standing(self) -> dict[str, str]:
        return {part.name: "live" if part.text else "retracted" for part in self.updates}

    @property
    def parts(self) -> tuple[Part, ...]:
        return (self.body, *self.updates) if self.body else self.updates


def chained(previous: str, seq: int, fingerprint: str) -> str:
    return sha1(f"{previous}:{seq}:{fingerprint}".encode(), usedforsecurity=False).hexdigest()


def refusal(event: Event, status: str | None, posted: Mapping[str, str]) -> str | None:
    """Return the code that refuses *event*, the article before the update, or None."""
    if status == "killed":
        return "article-killed"
    if event.act == "published":
        return "article-exists" if status else None
    if status is None:
        return "unknown-article"
    if event.act == "posted":
        if status == "closed":
            return "article-closed"
        return "update-exists" if event.update in posted else None
    if event.act in {"corrected", "retracted", "redacted"}:
        its = posted.get(event.update)
        if its == "retracted" and event.act != "redacted":
            return "update-retracted"
        return None if its else "unknown-update"
    return None


STATUS_AFTER = {"published": "live", "closed": "closed", "reopened": "live", "killed": "killed"}


def fold(state: State, entry: Entry) -> State:
    """Return *state* after the next *entry* of the ledger. A correction keeps what it corrects."""
    seq, chain, event, fingerprint = entry
    act = event.act
    if act == "killed":
        return State(seq, chain, "killed")
    status, body, posted, said, updates = state[2:]
    status, said = STATUS_AFTER.get(act, status), said + crc32(fingerprint.encode())
    if act in {"published", "writethru"}:
        body = Part(BODY, 0, event.text, seq, chain)
    elif act == "posted":
        updates = (*updates, Part(event.update, posted, event.text, seq, chain))
        posted += 1
    elif act in {"corrected", "retracted", "redacted"}:
        updates = tuple(_amended(part, entry) for part in updates)
    return State(seq, chain, status, body, posted, said, updates)


def _amended(part: Part, entry: Entry) -> Part:
    seq, chain, event, _ = entry
    if part.name != event.update:
        return part
    text = f"{part.text}, {event.text}" if event.act == "corrected" else None
    return Part(part.name, part.number, text, seq, chain)
