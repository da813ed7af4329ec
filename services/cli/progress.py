"""A bar that shows how far a long command is, to whoever looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


@contextmanager
def progress(doing: str, total: int, *, shown: bool = True) -> Iterator[Callable[..., None]]:
    """Show a bar on standard error if that is a terminal; what is yielded moves it by one, or more.

    Not *shown*: standard output is the terminal too, and its lines would tear the bar.
    """
    bar = Progress(
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not (shown and sys.stderr.isatty()),
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda steps=1: bar.advance(task, steps)
