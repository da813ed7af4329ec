"""Calls to a running writethru: one client, and words for when it does not answer."""

from __future__ import annotations

import re

import httpx2

from services.cli.failure import Failure, misused

INGEST = "http://127.0.0.1:8000"
DELIVER = "http://127.0.0.1:8080"

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)


def client(url: str, option: str) -> httpx2.AsyncClient:
    """Return a client for the server at *url*, which the person named with *option*.

    Raises:
        Failure: *url* is no http or https address.
    """
    try:
        base = httpx2.URL(url)
    except httpx2.InvalidURL:
        base = httpx2.URL("")
    if base.scheme not in ("http", "https") or not base.host:
        raise misused(f"{url} is no address for {option}; write it as http://host:port")
    # A proxy from the environment can't reach this machine's own addresses.
    outside = base.host not in _LOOPBACK
    return httpx2.AsyncClient(
        base_url=base, timeout=_TIMEOUT, trust_env=outside, follow_redirects=True
    )


def unreachable(url: str, option: str) -> Failure:
    """Return the failure of a server that does not answer."""
    return Failure(
        f"nothing answers at {url}; start it with `writethru up`, or name another with {option}"
    )


def check_slug(slug: str) -> str:
    """Return *slug*.

    Raises:
        Failure: no article can be called that.
    """
    if not _SLUG.fullmatch(slug):
        raise misused(
            f"{slug!r} is no slug; slugs are small letters, digits and single hyphens, "
            "as in harbour-bridge"
        )
    return slug
