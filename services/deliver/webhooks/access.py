"""Whose subscriptions somebody may see and change: those of the key, or with `admin` all."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from services.deliver.core.subscription import Subscription, within
from services.deliver.webhooks.forms import wrong
from shared.contract.access import EVERYBODY, Rights
from shared.contract.errors import FieldError, Refused
from shared.runtime.door import Door


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. *key_id* is None for everybody on this machine, where no keys are asked for."""

    rights: Rights
    key_id: str | None = None

    def may_see(self, record: Subscription) -> bool:
        """Whether *record* is theirs to look at, and to change."""
        everything = self.key_id is None or self.rights.has("admin")
        return everything or record.created_by == self.key_id

    def bounded(self, articles: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the patterns to subscribe to: those asked for, else all that the key is for.

        Raises:
            InvalidEvent: the key is not for one of them.
        """
        allowed = self.rights.articles
        if articles is None:
            return allowed
        if beyond := within(articles, allowed):
            place = articles.index(beyond)
            said = f"{self.rights.who} is for {', '.join(allowed)}; ask for no more than that"
            raise wrong(FieldError(f"/articles/{place}", said))
        return articles


async def admitted(door: Door | None, request: Request) -> Caller:
    """Return who asks.

    Raises:
        Refused: as `unauthenticated` or `forbidden`.
        TooOften, Busy: as `Door.admit`.
    """
    if door is None:
        return Caller(EVERYBODY)
    host = request.client.host if request.client else None
    key = await door.admit(request.headers.getlist("authorization"), host)
    if not key.rights.has("read"):
        raise Refused("forbidden", f"{key.rights.who} has no scope read, which webhooks need.")
    return Caller(key.rights, key.key_id)
