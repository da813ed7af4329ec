"""The document that holds the figures: sections between marks are written by the benchmarks."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"


def replace_section(name: str, text: str) -> None:
    """Put *text* between the marks of section *name* in the document."""
    begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
    document = DOCUMENT.read_text("utf-8")
    section = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not section.search(document):
        raise LookupError(f"{DOCUMENT} has no section {name}; put {begin} and {end} into it")
    written = f"{begin}\n{text}\n{end}"
    DOCUMENT.write_text(section.sub(lambda _: written, document), "utf-8")


def machine(engine: str) -> str:
    """Say what the figures were measured on."""
    return (
        f"Measured with {engine} and Python {platform.python_version()} on "
        f"{os.cpu_count()} cores of {platform.machine()}, {platform.system()}."
    )
