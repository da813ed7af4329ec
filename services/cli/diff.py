"""`writethru diff`: what changed between two versions of an article, word by word."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import orjson
from rich.console import Console
from rich.text import Text
from typer import Argument, Option

from services.cli.asking import fetch
from services.cli.page import Key
from services.cli.remote import DELIVER, check_slug
from services.cli.terminal import STYLES, put

Piece = Mapping[str, str]

#: How a piece looks in a terminal, and around what it stands elsewhere.
_LOOKS = {
    "removed": ("strike red", "[-", "-]"),
    "added": ("underline green", "{+", "+}"),
}
_ABOUT_UPDATE = ("text", "images", "sources")


def command(
    slug: Annotated[str, Argument(metavar="SLUG", help="The article, as in harbour-bridge.")],
    before: Annotated[int, Argument(metavar="A", min=1, help="The earlier version.")],
    after: Annotated[int, Argument(metavar="B", min=1, help="The later version.")],
    as_json: Annotated[bool, Option("--json", help="Print it as JSON.")] = False,
    key: Key = None,
    url: Annotated[str, Option("--from", metavar="URL", help="Where deliver is.")] = DELIVER,
) -> None:
    """Print what changed between versions A and B of an article, word by word.

    In colour in a terminal, elsewhere as [-removed-] and {+added+}. What was taken back since is in
    neither; of a killed article, this prints the line that stands in its place.
    """
    path = f"/articles/{check_slug(slug)}/versions/{before}..{after}.json"
    found = asyncio.run(fetch(url, path, key))
    document: dict[str, Any] = orjson.loads(found)
    if as_json:
        put(found + b"\n")
        return
    if "updates" not in document:  # killed: its line of text, as `page` prints it
        put(asyncio.run(fetch(url, f"/articles/{slug}.txt", key)))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in _told(document, coloured=console.is_terminal):
        console.print(line)


def _told(document: Mapping[str, Any], *, coloured: bool) -> Iterable[Text]:
    groups = list(_groups(document))
    if not groups:
        yield Text("A reader sees no difference between these versions.")
    for place, (title, lines) in enumerate(groups):
        if place:
            yield Text()
        yield title
        for line in lines:
            yield Text.assemble("  ", *(_shown(piece, coloured=coloured) for piece in line))
    if document["more"]:
        yield Text(f"\nand {document['more']} more updates; compare versions that are closer")


def _groups(document: Mapping[str, Any]) -> Iterable[tuple[Text, Sequence[Sequence[Piece]]]]:
    """Yield what changed under its titles: headline, facts, body, each update."""
    if "headline" in document:
        yield Text("Headline", "bold"), [document["headline"]]
    for name, words in document["facts"].items():
        yield Text(name.capitalize(), "bold"), [words]
    if document["body"]:
        yield Text("Body", "bold"), document["body"]
    for update in document["updates"]:
        yield _title(update), list(_lines(update))


def _title(update: Mapping[str, Any]) -> Text:
    acts = ", ".join(update["acts"])
    style = STYLES.get(update["acts"][0], "bold")
    return Text.assemble(("Update ", "bold"), update["update_id"], " ", (acts, style))


def _lines(update: Mapping[str, Any]) -> Iterable[Sequence[Piece]]:
    for name in ("headline", "authors"):
        if name in update:
            yield update[name]
    for name in _ABOUT_UPDATE:
        yield from update.get(name, ())
    for note in update["notes"]:
        yield [{"kind": "same", "text": f"{note['kind']}: {note['note']}"}]


def _shown(piece: Piece, *, coloured: bool) -> Text:
    style, begins, ends = _LOOKS.get(piece["kind"], ("", "", ""))
    return Text(piece["text"], style) if coloured else Text(f"{begins}{piece['text']}{ends}")
