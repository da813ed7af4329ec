"""Which representation a reader gets: the path's ending decides, else Accept, else HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One way of writing an article; *kind* is its media type without parameters."""

    name: str
    kind: str

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        own = self.kind in ("application/json", "application/feed+json")
        return self.kind if own else f"{self.kind}; charset=utf-8"


HTML = Format("html", "text/html")
JSON = Format("json", "application/json")
TEXT = Format("txt", "text/plain")

MARKDOWN = Format("md", "text/markdown")
ATOM = Format("atom", "application/atom+xml")
JSON_FEED = Format("feed.json", "application/feed+json")
RSS = Format("rss", "application/rss+xml")
NINJS = Format("ninjs.json", "application/json")
SITEMAP = Format("xml", "application/xml")

#: An article for other sites' pages; by its ending only.
FRAGMENT = Format("fragment.html", "text/html")

FEEDS = (ATOM, JSON_FEED, RSS)
#: In the order of our own preference, where a reader has none.
FORMATS = (HTML, JSON, TEXT, MARKDOWN, *FEEDS, NINJS)
#: Of Latest News.
LISTS = (HTML, JSON, *FEEDS)

#: What says in another's place that an article is gone, or what is wrong.
_KINDRED = {MARKDOWN: TEXT, ATOM: TEXT, JSON_FEED: JSON, RSS: TEXT, NINJS: JSON, SITEMAP: TEXT}
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")
_TYPE = re.compile(r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+", re.ASCII)


def split_ending(name: str) -> tuple[str, str | None]:
    """Split the last segment of a path at its first dot; None where there is none."""
    stem, dot, ending = name.partition(".")
    return stem, ending if dot else None


def by_ending(ending: str, offered: Sequence[Format] = FORMATS) -> Format | None:
    """Return the format that is written ``.<ending>``; None if it isn't offered."""
    return next((each for each in offered if each.name == ending), None)


def by_accept(accept: str | None, offered: Sequence[Format] = FORMATS) -> Format | None:
    """Return the offered format that *accept* (RFC 9110, 12.5.1) prefers; None if it wants none.

    Without an Accept it is the first. Where two are wanted alike, one that was named goes before
    one that a ``*`` covers: ``application/json, */*`` is how programs ask for JSON.
    """
    ranges = dict(_ranges(accept or ""))
    if not ranges:
        return offered[0]
    ranked = [(*_wanted(each, ranges), -place, each) for place, each in enumerate(offered)]
    quality, *_, best = max(ranked, key=lambda item: item[:3])
    return best if quality else None


def for_errors(path: str, accept: str | None) -> Format:
    """Return the format in which to tell whoever asked for *path* what is wrong.

    A program that asked for data gets data, whatever its Accept says; so does one that asked for
    data in a form that isn't offered.
    """
    last = path.rpartition("/")[2]
    if last in ("changes", "live") or path.startswith("/v1/"):
        return JSON
    ending = last.rpartition(".")[2] if "." in last else ""
    how = by_ending(ending, (*FORMATS, SITEMAP)) or by_accept(accept) or HTML
    return kindred(how)


def kindred(how: Format) -> Format:
    """Return the format in which something is said to who asked for *how*, when it isn't that."""
    return _KINDRED.get(how, how)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Yield each media range with its weight; what can't be read is left out."""
    for item in accept.split(","):
        kind, *parameters = (part.strip() for part in item.lower().split(";"))
        weights = [part[2:] for part in parameters if part.startswith("q=")]
        weight = weights[0] if weights else "1"
        if _TYPE.fullmatch(kind) and _QUALITY.fullmatch(weight):
            yield kind, float(weight)


def _wanted(each: Format, ranges: dict[str, float]) -> tuple[float, int]:
    """Return the weight of the most specific range that covers *each*, and how specific it is."""
    main = each.kind.partition("/")[0]
    for specific, kind in ((2, each.kind), (1, f"{main}/*"), (0, "*/*")):
        if kind in ranges:
            return ranges[kind], specific
    return 0.0, 0
