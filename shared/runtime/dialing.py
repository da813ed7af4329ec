"""Where calls to others may go, judged where connections are made.

A host is looked up once, every address it has is judged, and the connection goes to one of those;
TLS and the `Host` header still say the name. So nobody can name a host that is public when it is
looked at and our own machine when it is called. There is no other way out behind this one: a host
that is a number is judged as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from socket import SOCK_STREAM, getaddrinfo

import httpcore2

from shared.contract.addresses import (
    PORTS,
    Address,
    Network,
    Url,
    checked_url,
    is_among,
    is_public,
)

_SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Unreachable(Exception):
    """There is no answer; *reason* is a sentence that the one who named the address may read.

    It tells nobody what a name is inside our network. *forbidden* means that trying again is in
    vain, as long as the name stands for what it does.
    """

    def __init__(self, reason: str, *, forbidden: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.forbidden = forbidden


@dataclass(frozen=True, slots=True)
class Rules:
    """Where calls may go: to public addresses by https and *ports*; to those of *allow* anyhow."""

    allow: tuple[Network, ...] = ()
    ports: frozenset[int] = PORTS
    ca_file: Path | None = None

    def check(self, text: str, field: str = "url") -> Url:
        """Return *text* as a URL whose form is that of one that may be called.

        Raises:
            ValueError: it isn't; names *field* and the remedy.
        """
        return checked_url(text, field=field, anywhere=bool(self.allow), ports=self.ports)

    def judge(self, addresses: Collection[Address], scheme: str, port: int) -> None:
        """See that all *addresses* may be called by *scheme* at *port*.

        Raises:
            Unreachable: one of them may not.
        """
        others = [each for each in addresses if not is_among(each, self.allow)]
        if not all(map(is_public, others)):
            raise Unreachable(
                "the host has an address that is not public; if it is yours, have the operator "
                "put it into WRITETHRU_OUTBOUND_ALLOW",
                forbidden=True,
            )
        if others and (scheme != "https" or port not in self.ports):
            listed = " or ".join(map(str, sorted(self.ports)))
            raise Unreachable(f"a public host is called by https at port {listed}", forbidden=True)


RULES = Rules()
#: For addresses that nobody names but the operator, in settings.
ANYWHERE = Rules((IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))


async def look_up(pool: ThreadPoolExecutor, host: str, port: int) -> Sequence[str]:
    """Return the addresses of *host*, as the system knows them."""
    ask = partial(getaddrinfo, host, port, type=SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(pool, ask)
    return [str(each[4][0]) for each in found]


class Dialer(httpcore2.AsyncNetworkBackend):
    """Makes the connections of one scheme."""

    def __init__(self, scheme: str, rules: Rules, resolve: Resolve) -> None:
        self._scheme = scheme
        self._rules = rules
        self._resolve = resolve
        self._network = httpcore2.AnyIOBackend()

    async def addresses(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of *host*, each once, all of them judged."""
        try:
            named = await self._resolve(host, port)
        except (OSError, UnicodeError):
            named = []
        found = [ip_address(each.partition("%")[0]) for each in dict.fromkeys(named)]
        if not found:
            raise Unreachable("the host has no address; is its name right?")
        self._rules.judge(found, self._scheme, port)
        return found

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore2's
        local_address: str | None = None,  # noqa: ARG002 -- httpcore2's
        socket_options: Iterable[_SocketOption] | None = None,  # noqa: ARG002 -- httpcore2's
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of *host* that takes it."""
        found = await self.addresses(host, port)
        for address in found[:-1]:
            try:
                return await self._connect(address, port, timeout)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._connect(found[-1], port, timeout)

    async def _connect(
        self, address: Address, port: int, seconds: float | None
    ) -> httpcore2.AsyncNetworkStream:
        return await self._network.connect_tcp(str(address), port, timeout=seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait; asked for by nobody, as nothing is tried twice here."""
        await asyncio.sleep(seconds)
