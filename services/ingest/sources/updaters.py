"""Updaters: programs of a newsroom's own that are told how an article stands, and say what's new.

What is sent is signed after Standard Webhooks, so an updater can tell that it is us who asks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis

from services.ingest.core.sources import answer
from services.ingest.sources.fetching import Failed, ask
from services.ingest.sources.outside import Outside
from services.ingest.sources.records import Listed, Records, Word, owner
from shared.article.formats import json
from shared.contract.errors import Busy
from shared.contract.signing import secret_text, sign
from shared.contract.sources import Source
from shared.runtime.clock import new_key, now
from shared.runtime.installation import Installation
from shared.runtime.sealing import Seal, SealError
from shared.runtime.settings import Settings
from shared.runtime.shelf import Shelves
from shared.runtime.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Updaters:
    """Asks them; *snapshots* says how articles stand."""

    records: Records
    snapshots: Snapshots
    outside: Outside
    seal: Seal

    async def ask(self, slug: str, source: Source, tick: str, cursor: Any) -> answer.Answer:
        """Return what *source* has to say at *tick*.

        Raises:
            Failed: it can't be reached, or says no.
            Unreadable: it doesn't answer as it should.
        """
        secret = await self.secret(slug, source.name)
        asked = {
            "article": slug,
            "source": source.name,
            "tick": tick,
            "cursor": cursor,
            "snapshot": await self._snapshot(slug),
        }
        body = json.dumps(asked)
        told = await ask(self.outside, source.url, body, _headers(secret, asked, body))
        return answer.read(told, slug, source, tick, cursor)

    async def secret(self, slug: str, name: str, *, renew: bool = False) -> bytes:
        """Return what messages to an updater are signed with; made when it is asked for first.

        Raises:
            NoSuchSource: there is no such source.
            Failed: it was sealed with a key that isn't set any more.
        """
        listed = await self.records.find(slug, name)
        if not renew and listed.word.secret:
            return self._opened(slug, listed)
        made = self.seal.seal(new_key(), owner(slug, listed.source))

        def given(found: Listed) -> Word:
            kept = found.word.secret if found.source == listed.source and not renew else None
            return replace(found.word, secret=kept or made)

        word = await self.records.change(slug, name, given)
        return self._opened(slug, replace(listed, word=word))

    def _opened(self, slug: str, listed: Listed) -> bytes:
        try:
            return self.seal.unseal(listed.word.secret or "", owner(slug, listed.source))
        except SealError as error:
            remedy = f"writethru sources secret {slug} {listed.source.name} --renew"
            raise Failed(f"its secret can't be read ({error}); give it another: {remedy}") from None

    async def _snapshot(self, slug: str) -> dict[str, Any] | None:
        """Return the article as readers have it; None before the first version."""
        try:
            article = await self.snapshots.read_article(slug)
        except Busy as error:
            raise Failed(error.detail) from None
        return None if article is None else json.article(article)


def updaters(
    redis: Redis, installation: Installation, settings: Settings, outside: Outside
) -> Updaters:
    """Wire them up."""
    lanes = installation.lanes
    return Updaters(
        Records(redis, lanes),
        Snapshots(redis, lanes, cached=0, shelves=Shelves(settings.archive)),
        outside,
        Seal(installation.key, settings.sealing_key),
    )


def shown(secret: bytes) -> str:
    """Return a secret as updaters take it."""
    return secret_text(secret)


def _headers(secret: bytes, asked: dict[str, Any], body: bytes) -> dict[str, str]:
    """Return the headers that sign *body*; at the same tick the message has the same id."""
    named = "\0".join(str(asked[name]) for name in ("article", "source", "tick"))
    message_id = f"msg_{hashlib.sha256(named.encode()).hexdigest()[:24]}"
    at = int(now().timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": sign([secret], message_id, at, body),
    }
