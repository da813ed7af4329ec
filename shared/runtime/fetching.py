"""Calls to addresses that others have named: webhooks, feeds that are pulled, caches.

Who may be called is `shared.runtime.dialing`'s to say.
Nothing that the answer says is followed: no redirect, no cookie, no compression; its body is read
up to a limit. Proxies that the environment names are not used.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpcore2
import httpx2
import structlog

from shared.contract.addresses import Url
from shared.runtime.clock import monotonic
from shared.runtime.dialing import ANYWHERE, RULES, Dialer, Resolve, Rules, Unreachable, look_up

#: Seconds from the look-up to the last byte of the answer.
TOTAL_SECONDS = 10.0
CONNECT_SECONDS = 4.0
BODY_BYTES = 64 * 1024
CONNECTIONS = 100
_IDLE_SECONDS = 10.0
#: A slow DNS must not use up the threads that pages are made in.
_LOOKUPS = 8


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: names of *headers* are in small letters, *body* is cut at the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    whole: bool = True


class Outbound:
    """The way out, until it is left as a context. Calls may be made side by side."""

    def __init__(
        self, rules: Rules = RULES, *, resolve: Resolve | None = None, total: float = TOTAL_SECONDS
    ) -> None:
        self.rules = rules
        self._total = total
        self._names = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="look-up")
        resolve = resolve or partial(look_up, self._names)
        self._dialers = {scheme: Dialer(scheme, rules, resolve) for scheme in ("https", "http")}
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=_vouching(rules.ca_file),
                max_connections=CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=dialer,
            )
            for scheme, dialer in self._dialers.items()
        }

    async def __aenter__(self) -> Self:
        if self.rules.allow and self.rules != ANYWHERE:
            _log.info("outbound.allowed", networks=[str(each) for each in self.rules.allow])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._names.shutdown(wait=False, cancel_futures=True)

    async def check(self, url: str, field: str = "url") -> Url:
        """Return *url* if it may be called as things stand; nothing is sent there.

        Raises:
            ValueError: it may not; names *field* and the remedy.
            Unreachable: its host has no address at the moment.
        """
        checked = self.rules.check(url, field)
        try:
            async with self._limited():
                await self._dialers[checked.scheme].addresses(checked.host, checked.port)
        except Unreachable as error:
            if error.forbidden:
                raise ValueError(f"{field}: {error.reason}") from None
            raise
        return checked

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send *body* and return the answer, whatever its status.

        Raises:
            Unreachable: there is none, or the address may not be called.
        """
        return await self.send("POST", url, headers, body)

    async def get(self, url: str, headers: Mapping[str, str], limit: int = BODY_BYTES) -> Answer:
        """Return what is at *url*; a body longer than *limit* is cut, and says so.

        Raises:
            Unreachable: there is no answer, or the address may not be called.
        """
        return await self.send("GET", url, headers, limit=limit)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        limit: int = BODY_BYTES,
    ) -> Answer:
        """Make one request, once.

        Raises:
            Unreachable: there is no answer, or the address may not be called.
        """
        try:
            asked = self.rules.check(url)
        except ValueError as error:
            raise Unreachable(str(error), forbidden=True) from None
        began = monotonic()
        async with self._limited():
            sent = _headers(asked, headers, body, method)
            try:
                async with self._asked(method, asked, sent, body) as response:
                    read, whole = await _read(response, limit)
            except httpcore2.LocalProtocolError as error:
                raise ValueError(f"a header can't be sent: {error}") from None
            except _FAULTS as error:
                raise Unreachable(_told(error)) from None
        named = {name.decode("latin-1").lower(): value for name, value in response.headers}
        told = {name: value.decode("latin-1") for name, value in named.items()}
        return Answer(response.status, told, read, monotonic() - began, whole)

    @asynccontextmanager
    async def _asked(
        self, method: str, url: Url, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> AsyncGenerator[httpcore2.Response]:
        at = httpcore2.URL(
            scheme=url.scheme.encode(),
            host=url.host.encode(),
            port=url.port,
            target=url.target.encode(),
        )
        waits = {"timeout": {"connect": CONNECT_SECONDS, "pool": self._total}}
        stream = self._pools[url.scheme].stream(
            method, at, headers=headers, content=body, extensions=waits
        )
        async with stream as response:
            yield response

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._total):
                yield
        except TimeoutError:
            raise Unreachable(f"there was no answer within {self._total:g} seconds") from None


_FAULTS = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    ssl.SSLError,
)


def _told(error: Exception) -> str:
    if any(isinstance(each, ssl.SSLError) for each in _causes(error)):
        return "the connection can't be trusted: its certificate is not right for the host"
    match error:
        case httpcore2.ConnectTimeout() | httpcore2.ConnectError():
            return "nobody takes the connection"
        case httpcore2.TimeoutException():
            return "the answer did not come in time"
        case httpcore2.ProtocolError():
            return "what came back is no whole answer of HTTP"
    return "the connection broke before the answer was there"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _headers(
    url: Url, headers: Mapping[str, str], body: bytes, method: str
) -> Sequence[tuple[bytes, bytes]]:
    ours = {"host": url.authority, "accept-encoding": "identity"}
    if body or method == "POST":
        ours["content-length"] = str(len(body))
    given = {name.lower(): value for name, value in headers.items()}
    return [(name.encode(), value.encode("latin-1")) for name, value in (ours | given).items()]


async def _read(response: httpcore2.Response, limit: int) -> tuple[bytes, bool]:
    """Return the body up to *limit* bytes, and whether that is all of it."""
    read = bytearray()
    async for part in response.aiter_stream():
        read += part
        if len(read) > limit:
            return bytes(read[:limit]), False
    return bytes(read), True


def _vouching(ca_file: Path | None) -> ssl.SSLContext:
    """Return whom we trust: the machine's authorities or certifi's, and those of *ca_file*."""
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
