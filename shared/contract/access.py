"""Who may do what: scopes, and patterns of articles and sources. Pure; keys are kept elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Literal, get_args

from shared.contract import acts

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
class Secret:
    """The SHA-256 in hex of one secret of a key; a rotated one lives on until *expires*."""

    sha256: str
    created: datetime
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a publisher may do. Patterns are shell-like: ``election-*``; ``*`` is all."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    created: datetime
    secrets: tuple[Secret, ...]
    articles: tuple[str, ...] = ("*",)
    sources: tuple[str, ...] = ("*",)
    revoked: datetime | None = None

    def has(self, scope: Scope) -> bool:
        """Whether the key may act under *scope*; `admin` may everything."""
        return scope in self.scopes or "admin" in self.scopes

    def alive(self, now: datetime) -> tuple[Secret, ...]:
        """Return the secrets that open the door at *now*."""
        if self.revoked is not None:
            return ()
        return tuple(each for each in self.secrets if each.expires is None or each.expires > now)


def refusal(key: ApiKey, type_: str, subject: str, source: str) -> str | None:
    """Say why *key* may not file such an event; None when it may."""
    scope = _SCOPES_OF_ACTS.get(type_, "publish")
    if not key.has(scope):
        return f"Key {key.key_id} has no scope {scope}, which {type_} needs."
    if not _matches(subject, key.articles):
        return f"Key {key.key_id} is not for the article {subject}."
    if not _matches(source, key.sources):
        return f"Key {key.key_id} is not for the source {source}."
    return None


def _matches(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)
