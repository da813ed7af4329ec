"""What commands print: pages as they are, and lines for people, in colour only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

#: Each act's colour, by its last word on the wire.
STYLES = {
    "published": "bold green",
    "posted": "green",
    "revised": "cyan",
    "corrected": "yellow",
    "retracted": "red",
    "redacted": "red",
    "killed": "bold red",
    "writethru": "bold cyan",
}


def show(console: Console, *cells: str | tuple[str, str]) -> None:
    """Print *cells*, texts or pairs of text and style, as one line cut to a terminal's width."""
    text = Text.assemble(*cells)
    text.rstrip()
    if console.is_terminal:
        text.truncate(console.width, overflow="ellipsis")
    console.print(text, highlight=False, soft_wrap=True)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield *rows* as lines whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def put(page: bytes) -> None:
    """Write *page* to standard output, to the byte; a terminal's prompt gets its own line."""
    sys.stdout.buffer.write(page)
    if sys.stdout.isatty() and not page.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
