"""What browsers and shared caches may keep, how long, and by which keys they let go of it. Pure.

A browser asks each time, so a kill reaches its copy with the next look. A shared cache that knows
`CDN-Cache-Control` (RFC 9213), or was told to read it, answers for some seconds without asking;
one that doesn't know it keeps nothing. Fresh and stale together never go beyond what
docs/reading.md promises: LIVE_SECONDS, or SETTLED_SECONDS where coverage has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: For how long a shared cache may show what was since taken back, unless it is purged.
LIVE_SECONDS = 10
SETTLED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Keeping:
    """What *browsers* may do with an answer, and what shared *caches*; None: as browsers."""

    browsers: str
    caches: str | None = None

    @property
    def shared(self) -> bool:
        """Whether many may be answered with it."""
        return self.browsers.startswith("public")


def _up_to(fresh: int, in_all: int) -> str:
    """Return the rule for what is *fresh* for so long, and shown at need until *in_all*."""
    late = in_all - fresh
    return f"max-age={fresh}, stale-while-revalidate={late}, stale-if-error={late}"


_ASKED = "public, max-age=0, must-revalidate"
_UNKEPT = "no-store"

LIVE = Keeping(_ASKED, _up_to(2, LIVE_SECONDS))
#: Coverage has ended, or what is shown is of the past; it may be taken back all the same.
SETTLED = Keeping(_ASKED, _up_to(30, SETTLED_SECONDS))
#: Who polls wants to know now; a second is what makes one request of a thousand.
POLLED = Keeping(_ASKED, "max-age=1")
#: For good. It must stand even while we can't be asked.
KILLED = Keeping(_ASKED, "max-age=60, stale-while-revalidate=60, stale-if-error=86400")
#: It may be there in a moment; until then, one question a second is enough.
MISSING = Keeping(_UNKEPT, "max-age=1")
UNKEPT = Keeping(_UNKEPT)
PRIVATE = Keeping("private, no-store")
#: Named by pages of others, which are not to wait for us.
EMBEDDED = Keeping("public, max-age=300", "max-age=300, stale-while-revalidate=86400")
#: Its name says its content.
FOR_EVER = Keeping("public, max-age=31536000, immutable")

#: What lists articles: Latest News, its feeds, the sitemap.
LATEST = "wt-latest"
#: What shows headlines of other articles beside its own.
BESIDE = "wt-beside"


def key_of(slug: str) -> str:
    """Return the key of everything that is of one article."""
    return f"wt-{slug}"


def keys_of_change(slug: str, *, killed: bool) -> tuple[str, ...]:
    """Return the keys of what a change of *slug* makes old.

    Pages that have its headline beside theirs are let go of only where it must not be seen.
    """
    return (key_of(slug), LATEST, BESIDE) if killed else (key_of(slug), LATEST)


def headers_of(keeping: Keeping, keys: Iterable[str]) -> dict[str, str]:
    """Return the headers that say so; keys as Varnish and Fastly read them, and as Cloudflare."""
    headers = {"cache-control": keeping.browsers}
    if keeping.caches:
        headers["cdn-cache-control"] = keeping.caches
    if names := list(keys):
        headers["surrogate-key"] = " ".join(names)
        headers["cache-tag"] = ",".join(names)
    return headers
