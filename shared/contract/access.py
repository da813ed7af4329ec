"""Who may do what: scopes, and patterns of articles and sources. Pure; keys are kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal, get_args

from shared.contract import acts
from shared.contract.desk import Check, Level, Levels
from shared.contract.durability import Durability

Scope = Literal["publish", "correct", "kill", "read", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

#: The acts that need more than `publish`.
_SCOPES_OF_ACTS: dict[str, Scope] = {
    acts.Corrected.wire: "correct",
    acts.Retracted.wire: "correct",
    acts.Killed.wire: "kill",
    acts.Redacted.wire: "admin",
}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many *events* a key may file within a minute."""

    key_id: str
    events: int


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do. Patterns are shell-like: ``election-*``; ``*`` is all.

    *who* begins the sentence that refuses something.
    """

    who: str
    scopes: tuple[Scope, ...]
    articles: tuple[str, ...] = ("*",)
    sources: tuple[str, ...] = ("*",)
    checks: Levels = field(default_factory=dict)
    durability: Durability | None = None
    allowance: Allowance | None = None

    def has(self, scope: Scope) -> bool:
        """Whether *scope* is among the scopes; `admin` is all of them."""
        return scope in self.scopes or "admin" in self.scopes

    def refusal_to_file(self, type_: str, subject: str, source: str) -> str | None:
        """Say why such an event may not be filed; None when it may."""
        scope = _SCOPES_OF_ACTS.get(type_, "publish")
        if not self.has(scope):
            return f"{self.who} has no scope {scope}, which {type_} needs."
        if not _matches(subject, self.articles):
            return f"{self.who} is not for the article {subject}."
        if not _matches(source, self.sources):
            return f"{self.who} is not for the source {source}."
        return None

    def refusal_to_read(self, subject: str) -> str | None:
        """Say why the events of article *subject* may not be read; None when they may."""
        if not self.has("read"):
            return f"{self.who} has no scope read, which reading events needs."
        if not _matches(subject, self.articles):
            return f"{self.who} is not for the article {subject}."
        return None


#: Where no keys are asked for: everything but what destroys or shows what was taken back.
EVERYBODY = Rights("A publisher without a key", ("publish", "correct", "kill", "read"))
#: Whoever the engine lets append to the inbox.
INBOX_WRITERS = Rights("The inbox", ("publish", "correct"))


@dataclass(frozen=True, slots=True)
class Secret:
    """The SHA-256 in hex of one secret of a key; a rotated one lives on until *expires*."""

    sha256: str
    created: datetime
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A publisher's key as it is kept; one that is revoked or has expired opens nothing."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    created: datetime
    secrets: tuple[Secret, ...]
    articles: tuple[str, ...] = ("*",)
    sources: tuple[str, ...] = ("*",)
    revoked: datetime | None = None
    expires: datetime | None = None
    checks: dict[Check, Level] = field(default_factory=dict)
    durability: Durability | None = None
    """The least level that what it files is kept at; None leaves it to requests."""
    rate: int | None = None
    """Events that it may file within a minute; None is any number."""

    @property
    def rights(self) -> Rights:
        """What its holder may do."""
        allowance = Allowance(self.key_id, self.rate) if self.rate else None
        limits = (self.articles, self.sources, self.checks, self.durability, allowance)
        return Rights(f"Key {self.key_id}", self.scopes, *limits)

    def alive(self, now: datetime) -> tuple[Secret, ...]:
        """Return the secrets that open the door at *now*."""
        if self.revoked is not None or ended(self.expires, now):
            return ()
        return tuple(each for each in self.secrets if not ended(each.expires, now))


def ended(end: datetime | None, now: datetime) -> bool:
    """Whether what lasts until *end*, or for ever, is over at *now*."""
    return end is not None and end <= now


def _matches(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
