"""One target under atheris, in a process of its own: libFuzzer ends the process that it runs in.

Run by `__main__.py` as `python -m tests.fuzz.child TARGET REPORT LIBFUZZER_WORDS…`; how many inputs
there have been stands in the file REPORT.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["shared.contract", "shared.article", "services", "markdown_it"]
):
    from tests.fuzz.targets import TARGETS

REPORT_EVERY = 250


def main(target: str, report: Path, words: Sequence[str]) -> None:
    check, tried = TARGETS[target].check, 0

    def one(data: bytes) -> None:
        nonlocal tried
        check(data)
        tried += 1
        if tried % REPORT_EVERY == 0:
            report.write_text(str(tried))

    atheris.Setup([sys.argv[0], *words], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
