"""Who may read an article's history: by a key, or by a link that a key asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.exceptions import HTTPException
from starlette.requests import Request

from services.deliver.core.links import LONGEST, Link, link_of, query_of
from shared.contract.access import Rights
from shared.contract.errors import Refused
from shared.runtime.clock import now
from shared.runtime.door import Door

Openness = Literal["keyed", "public", "off"]
_OFF = "This installation doesn't show how articles once stood (WRITETHRU_HISTORY is off)."


@dataclass(frozen=True, slots=True)
class Passes:
    """*secret* signs links. Without a *door*, everybody on this machine may read."""

    openness: Openness
    door: Door | None
    secret: bytes

    @property
    def public(self) -> bool:
        """Whether answers may be kept for others."""
        return self.openness == "public"

    def check_shown(self) -> None:
        """Raise HTTPException where there is no history for anybody."""
        if self.openness == "off":
            raise HTTPException(404, _OFF)

    async def admit(self, request: Request, slug: str) -> str:
        """Let who asks read the history of *slug*; return the query of a link, if that was it.

        Raises:
            Refused: as `unauthenticated` or `forbidden`.
            TooOften, Busy: as `Door.admit`.
        """
        if self.public or self.door is None:
            return ""
        if "signature" in request.query_params:
            return await self._by_link(self.door, request, slug)
        await self._by_key(self.door, request, slug)
        return ""

    async def link(self, request: Request, slug: str, seconds: int) -> Link | None:
        """Return a link into the history of *slug* for who may read it; None if it needs none.

        Raises as `admit`.
        """
        if self.public or self.door is None:
            return None
        key_id = await self._by_key(self.door, request, slug)
        expires = int(now().timestamp()) + min(seconds, LONGEST)
        return Link(slug, key_id, expires)

    def query_of(self, link: Link) -> str:
        """Return what makes an address into *link*."""
        return query_of(self.secret, link)

    async def _by_key(self, door: Door, request: Request, slug: str) -> str:
        host = request.client.host if request.client else None
        key = await door.admit(request.headers.getlist("authorization"), host)
        _check(key.rights, slug)
        return key.key_id

    async def _by_link(self, door: Door, request: Request, slug: str) -> str:
        link = link_of(self.secret, slug, request.query_params)
        if link is None:
            raise Refused("unauthenticated", "This link is not whole, or of another article.")
        if link.expires <= now().timestamp():
            raise Refused("unauthenticated", "This link has ended; ask for a new one.")
        _check((await door.holder(link.key_id)).rights, slug)
        return self.query_of(link)


def _check(rights: Rights, slug: str) -> None:
    if said := rights.refusal_to_read(slug):
        raise Refused("forbidden", said)
