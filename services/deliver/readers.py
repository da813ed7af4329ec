"""Where not everybody may read (`WRITETHRU_READERS=keyed`): who may, and with what.

A program sends its key. A browser comes with a link that somebody's key asked for (`lending`), and
gets a cookie for what the link opens and as long as it does, so that the page's own stream, its
changes and its permalinks are open as well. The cookie is no key: it opens one article, or all, for
reading, and only while the key behind it lives. Nothing that was read so may be kept for others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from services.deliver.answers import refuse
from services.deliver.core.links import Link, link_of, query_of
from services.deliver.requests import host_of
from shared.contract.access import Rights
from shared.contract.errors import Refused, WritethruError
from shared.runtime.clock import now
from shared.runtime.door import Door

#: In a link, what stands for all articles and their lists.
EVERYTHING = "*"
#: Seconds that a link for readers holds at most.
LONGEST = 7 * 86_400
COOKIE = "writethru_reader"

_ARTICLE = re.compile(r"/articles/([a-z0-9-]{1,128})(?:[./]|$)")
#: Without a word of copy, or with a door of its own.
_OPEN = re.compile(r"/static/.*|/embed\.js|/healthz|/readyz|/robots\.txt|/v1/.*")
_HISTORY = re.compile(r"/articles/[^/]+/versions(?:[/.].*)?")
_FOR_CACHES = ("cdn-cache-control", "surrogate-key", "cache-tag")


@dataclass(frozen=True, slots=True)
class Readers:
    """*secret* signs links. *history_apart*: history has a door of its own. *secure*: by https."""

    door: Door
    secret: bytes
    history_apart: bool
    secure: bool

    def open_to_all(self, request: Request) -> bool:
        """Whether nobody is asked for anything here."""
        path = request.url.path
        apart = self.history_apart and (_HISTORY.fullmatch(path) or "at" in request.query_params)
        return bool(_OPEN.fullmatch(path) or apart)

    async def admit(self, request: Request) -> Link | None:
        """Let who asks read what is at this address; return the link that brought them.

        Raises:
            Refused: as `unauthenticated` or `forbidden`.
            TooOften, Busy: as `Door.admit`.
        """
        found = _ARTICLE.match(request.url.path)
        slug = found[1] if found else None
        if given := request.headers.getlist("authorization"):
            _check((await self.door.admit(given, host_of(request))).rights, slug)
            return None
        link = self._link(slug, request.query_params)
        brought = link or self._link(slug, dict(parse_qsl(request.cookies.get(COOKIE, ""))))
        if brought is None:
            raise Refused("unauthenticated", "This is for readers with a key, or a link from one.")
        if brought.expires <= now().timestamp():
            raise Refused("unauthenticated", "This link has ended; ask for a new one.")
        _check((await self.door.holder(brought.key_id)).rights, slug)
        return link

    def _link(self, slug: str | None, said: Mapping[str, str]) -> Link | None:
        """Return the link that *said* makes to this article, or to everything."""
        for what in filter(None, (slug, EVERYTHING)):
            if link := link_of(self.secret, what, said):
                return link
        return None

    async def lend(self, request: Request, slug: str | None, seconds: int) -> Link:
        """Return a link to an article, or to everything, for who may read that.

        Raises as `admit`.
        """
        key = await self.door.admit(request.headers.getlist("authorization"), host_of(request))
        _check(key.rights, slug)
        return Link(slug or EVERYTHING, key.key_id, int(now().timestamp()) + seconds)

    def query_of(self, link: Link) -> str:
        """Return what makes an address into *link*."""
        return query_of(self.secret, link)

    def cookie_of(self, link: Link) -> str:
        """Return the header that has a browser keep *link*."""
        path = "/" if link.slug == EVERYTHING else f"/articles/{link.slug}"
        left = max(0, link.expires - int(now().timestamp()))
        value = self.query_of(link).removeprefix("?")
        secure = "; Secure" if self.secure else ""
        return f"{COOKIE}={value}; Path={path}; Max-Age={left}; HttpOnly; SameSite=Lax{secure}"


class Gate:
    """Asks the readers of *app*'s state before it answers, if there are any to ask."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say why not."""
        readers: Readers | None = getattr(self._app.state, "readers", None)
        if scope["type"] != "http" or readers is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if readers.open_to_all(request):
            await self._app(scope, receive, send)
            return
        link: Link | None = None

        async def send_private(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                _keep_private(headers)
                if link:
                    headers.append("set-cookie", readers.cookie_of(link))
            await send(message)

        try:
            link = await readers.admit(request)
        except WritethruError as error:
            await refuse(request, error)(scope, receive, send_private)
            return
        await self._app(scope, receive, send_private)


def _keep_private(headers: MutableHeaders) -> None:
    for name in _FOR_CACHES:
        if name in headers:
            del headers[name]
    if "no-store" not in headers.get("cache-control", ""):
        headers["cache-control"] = "private, max-age=0, must-revalidate"
    headers["referrer-policy"] = "same-origin"
    headers.add_vary_header("Authorization, Cookie")


def _check(rights: Rights, slug: str | None) -> None:
    if slug is not None:
        said = rights.refusal_to_read(slug)
    elif not rights.has("read"):
        said = f"{rights.who} has no scope read, which reading needs."
    else:
        all_of_them = "*" in rights.articles
        said = None if all_of_them else f"{rights.who} is not for all articles, as lists are."
    if said:
        raise Refused("forbidden", said)
