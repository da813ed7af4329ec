"""Citations: `[8]` in HTML becomes a link to the source that it names, where there is one.

Works on HTML that has been sanitised, in which ``<`` and ``>`` mark tags and nothing else. What is
inside a link or code stays as it is, and so does a number that no source has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from shared.article.article import Block, Body, Update
from shared.contract.acts import Source

_TAG = re.compile(r"(<[^>]*>)")
_MARKER = re.compile(r"\[(0|[1-9][0-9]{0,3})\]")
_CLOSED_TO_LINKS = re.compile(r"<(/?)(?:a|code|pre)[ >]")


@dataclass(frozen=True, slots=True)
class Listed:
    """A source as a page lists it: by what *id*, and where it is *cited*, if it is."""

    source: Source
    id: str | None
    cited: str | None


def linked(html: str, sources: Mapping[int, str], place: str, found: set[int]) -> str:
    """Return *html* with its markers linked; the numbers that it cites are added to *found*.

    *sources* has the ids of sources on the page by number. The first marker of number 8 gets the
    id ``c8`` and *place*, to which a source can link back.
    """
    if not sources or "[" not in html:
        return html
    depth = 0
    parts = _TAG.split(html)
    for at, part in enumerate(parts):
        if at % 2:
            if tag := _CLOSED_TO_LINKS.match(part):
                depth += -1 if tag[1] else 1
        elif not depth:
            parts[at] = _MARKER.sub(lambda marker: _link(marker, sources, place, found), part)
    return "".join(parts)


def _link(marker: re.Match[str], sources: Mapping[int, str], place: str, found: set[int]) -> str:
    number = int(marker[1])
    if number not in sources:
        return marker[0]
    name = "" if number in found else f' id="c{number}{place}"'
    found.add(number)
    return f'<a{name} class="cite" role="doc-noteref" href="#{sources[number]}">{marker[0]}</a>'


def own_sources(update: Update) -> dict[int, str]:
    """Return the ids of the sources of *update*, by number; the same number twice is its first."""
    ids: dict[int, str] = {}
    for source in update.sources:
        ids.setdefault(source.n, f"s{source.n}-{update.update_id}")
    return ids


def cited_copy(update: Update) -> str:
    """Return the copy of *update* with its markers linked to its own sources."""
    return _cited_copy(update)[0]


def listed_sources(update: Update) -> list[Listed]:
    """Return the sources of *update* in the order of their numbers."""
    cited, ids = _cited_copy(update)[1], own_sources(update)
    found = []
    for source in sorted(update.sources, key=lambda each: each.n):
        place = f"c{source.n}-{update.update_id}" if source.n in cited else None
        found.append(Listed(source, ids.pop(source.n, None), place))
    return found


def _cited_copy(update: Update) -> tuple[str, set[int]]:
    html = update.copy.html if update.copy else ""
    found: set[int] = set()
    return linked(html, own_sources(update), f"-{update.update_id}", found), found


def body_sources(updates: Iterable[Update]) -> dict[int, str]:
    """Return the ids of sources for a body above *updates*: of several, the oldest update's."""
    ids: dict[int, str] = {}
    for update in sorted(updates, key=lambda each: each.number):
        ids = own_sources(update) | ids
    return ids


def sources_by_number(updates: Iterable[Update]) -> dict[int, Source]:
    """Return the sources behind `body_sources`."""
    found: dict[int, Source] = {}
    for update in sorted(updates, key=lambda each: each.number):
        for source in update.sources:
            found.setdefault(source.n, source)
    return found


def cited_blocks(body: Body, sources: Mapping[int, str]) -> list[Block]:
    """Return the blocks of *body* with their markers linked to *sources*."""
    found: set[int] = set()
    return [replace(block, html=linked(block.html, sources, "", found)) for block in body.blocks]


def body_numbers(body: Body) -> frozenset[int]:
    """Return the numbers that *body* may cite."""
    found = (_MARKER.findall(block.text) for block in body.blocks if block.kind != "heading")
    return frozenset(int(number) for numbers in found for number in numbers)
