"""Which addresses that others name we may call. Pure.

Whoever names one would like us to reach what only we can reach: this machine, its neighbours, the
cloud's own services. What a name is made of says nothing about that (`0x7f.1` and `①②⑦.⓪.⓪.①` are
this machine), so a URL is checked for its form here, and the numbers that its host has turned
out to be are judged by `is_public` when they are about to be called.

The tables are our own: `is_global` of Python's `ipaddress` changes from release to release, and
takes for public what leads to private places in another way, as NAT64 and 6to4 do.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import quote, urlsplit

import idna

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Where others' machines may be called; elsewhere one would knock at doors of other kinds.
PORTS: frozenset[int] = frozenset({443, 8443})

_LONGEST_HOST = 253
_LONGEST_URL = 2_048
_STANDARD = {"https": 443, "http": 80}
_PLAIN_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
#: What a path and a query may have as they are; the rest is percent-encoded.
_AS_IT_IS = "/?:@!$&'()*+,;=%~-._[]"

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        [
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # a public number, behind which is Azure's own platform
        ],
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]))


@dataclass(frozen=True, slots=True)
class Url:
    """What to call. *host* is ASCII, an IPv6 address without brackets; *target* path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _STANDARD[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def is_public(address: Address | str) -> bool:
    """Whether *address* is somewhere in the internet that anybody might have called as well."""
    found = ip_address(address) if isinstance(address, str) else address
    if isinstance(found, IPv4Address):
        return not any(found in network for network in _NOT_PUBLIC_4)
    if found.ipv4_mapped is not None:
        return is_public(found.ipv4_mapped)
    return found in _GLOBAL_6 and not any(found in network for network in _NOT_PUBLIC_6)


def is_among(address: Address, networks: Collection[Network]) -> bool:
    """Whether *address* is in one of *networks*, also where it is written as the other kind."""
    mapped = getattr(address, "ipv4_mapped", None)
    return any(each in network for each in (address, mapped) if each for network in networks)


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks that *text* names, divided by commas; a single address is one, too.

    Raises:
        ValueError: one of them is none; names it.
    """
    found = []
    for each in filter(None, (part.strip() for part in text.split(","))):
        try:
            found.append(ip_network(each))
        except ValueError as error:
            raise ValueError(
                f"must be networks such as 10.1.0.0/16, divided by commas: {error}"
            ) from None
    return tuple(found)


def checked_url(
    text: str, *, field: str = "url", anywhere: bool = False, ports: Collection[int] = PORTS
) -> Url:
    """Return what *text* says, if it is of a form that may be called.

    *anywhere* is for where some addresses are the operator's own: http, and any port, are of a
    form that may be; whether they are at such an address is seen when they are called.

    Raises:
        ValueError: it isn't; names *field* and the remedy.
    """
    if len(text) > _LONGEST_URL or not text.isprintable() or " " in text:
        raise ValueError(
            f"{field} must be a URL of at most {_LONGEST_URL} characters, without spaces"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{field} is no URL; write it as https://host/path") from None
    if parts.scheme not in (("https", "http") if anywhere else ("https",)):
        raise ValueError(f"{field} must begin with https://")
    if "@" in parts.netloc:
        raise ValueError(
            f"{field} must not have a user or a password in it; remove what is before @"
        )
    if parts.fragment or "#" in text:
        raise ValueError(f"{field} must not have a fragment; remove # and what follows")
    port = port if port is not None else _STANDARD[parts.scheme]
    if not anywhere and port not in ports:
        listed = " or ".join(map(str, sorted(ports)))
        raise ValueError(f"{field} must use port {listed}, not {port}")
    if port == 0:
        raise ValueError(f"{field} must use a port from 1 on")
    return Url(
        parts.scheme, _host(parts.hostname or "", field), port, _target(parts.path, parts.query)
    )


def in_ascii(url: str) -> str:
    """Return *url* with its host as the DNS has it.

    Raises:
        ValueError: it can't be a host's name.
    """
    if (netloc := urlsplit(url).netloc).isascii():
        return url
    host, colon, port = netloc.partition(":")
    return url.replace(netloc, f"{_named(host)}{colon}{port}", 1)


def _host(host: str, field: str) -> str:
    try:
        return str(ip_address(host)) if ":" in host and "%" not in host else _named(host)
    except ValueError:
        raise ValueError(
            f"{field} must name a host of at most {_LONGEST_HOST} characters, "
            "such as hooks.example.org"
        ) from None


def _named(host: str) -> str:
    """Return *host* as the DNS has it, without the dot that may end it.

    Raises:
        ValueError: it can't be a host's name.
    """
    name = host.removesuffix(".").removesuffix("。")
    ascii_name = name if name.isascii() else idna.encode(name, uts46=True).decode()
    if not (_PLAIN_HOST.fullmatch(ascii_name) and len(ascii_name) <= _LONGEST_HOST):
        raise ValueError(host)
    return ascii_name


def _target(path: str, query: str) -> str:
    """Return path and query in ASCII."""
    whole = f"{path or '/'}?{query}" if query else path or "/"
    return quote(whole, safe=_AS_IT_IS)
