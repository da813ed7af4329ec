"""Which pages of other origins may read our answers (CORS). Pure.

Answers never depend on credentials of another origin's page: cookies of ours are not sent from
there, as nothing here says that they may be. A key in a header is the page's own to send.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

EVERY = "*"

EXPOSED = "ETag, Last-Modified, Link, Location, Retry-After, Content-Range"
_PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": (
        "Accept, Authorization, Cache-Control, If-None-Match, If-Range, Last-Event-ID, Range"
    ),
    "access-control-max-age": "86400",
}


def on_answer(allowed: Collection[str], origin: str | None) -> Mapping[str, str]:
    """Return the headers of an answer to a page of *origin*; None where no page asks."""
    if EVERY in allowed:
        return {"access-control-allow-origin": EVERY, "access-control-expose-headers": EXPOSED}
    if origin is None or origin.lower() not in allowed:
        return {}
    return {"access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED}


def on_preflight(allowed: Collection[str], origin: str | None) -> Mapping[str, str]:
    """Return the headers of what answers a browser that asks before it asks."""
    may = EVERY in allowed or (origin is not None and origin.lower() in allowed)
    return {"allow": "GET, HEAD, OPTIONS", **(_PREFLIGHT if may else {})}


def varies(allowed: Collection[str]) -> bool:
    """Whether an answer depends on who asks, which every cache must know."""
    return EVERY not in allowed
