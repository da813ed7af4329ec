"""The fuzzers as a command: `python -m tests.fuzz --inputs 1000000`.

It needs atheris, which is no part of the suite: `.venv/bin/python -m pip install atheris==3.0.0`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tests.fuzz.kept import kept, line_of, words_in
from tests.fuzz.targets import TARGETS

#: Longer ones find nothing that shorter ones don't, and cost more.
MAX_BYTES = 4_096
#: An input that takes longer is a finding: nothing here may hang.
MAX_SECONDS = 20
MAX_MEGABYTES = 2_048
_COVERED = re.compile(r"\bcov: (\d+)")


@dataclass(frozen=True)
class Outcome:
    """What became of one target; *finding* is the input that it failed on."""

    target: str
    tried: int
    seconds: float
    covered: int
    grown: int
    finding: bytes | None = None
    said: str = ""


def main(argv: Sequence[str]) -> int:
    """Return the exit status: 1 if a target failed on an input."""
    options = _options(argv)
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write(f"{(__doc__ or '').strip().splitlines()[-1]}\n")
        return 1
    whole = sum(TARGETS[name].share for name in options.targets)
    counts = {n: max(1, options.inputs * TARGETS[n].share // whole) for n in options.targets}
    with _bar() as bar:
        outcomes = [_run(name, many, options.seed, bar) for name, many in counts.items()]
    _show(outcomes, options.seed)
    return int(any(each.finding is not None for each in outcomes))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="over all targets")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help="all, if none is named")
    options = parser.parse_args(argv)
    options.targets = options.targets or list(TARGETS)
    return options


def _bar() -> Progress:
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=Console(stderr=True))


def _run(target: str, inputs: int, seed: int, bar: Progress) -> Outcome:
    task, began = bar.add_task(target, total=inputs), time.monotonic()
    with TemporaryDirectory() as name:
        folder = Path(name)
        words = _words(target, folder, inputs, seed)
        report, log = folder / "tried", folder / "log"
        with log.open("wb") as said:
            child = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.child", target, str(report), *words],
                stdout=said,
                stderr=said,
            )
            while child.poll() is None:
                time.sleep(0.2)
                bar.update(task, completed=_tried(report))
        text = log.read_text(errors="replace")
        finding = next((each.read_bytes() for each in folder.glob("finding-*")), None)
        tried = inputs if child.returncode == 0 else _tried(report)
        bar.update(task, completed=tried)
        if child.returncode and finding is None:
            raise SystemExit(text)
        covered = max(map(int, _COVERED.findall(text)), default=0)
        grown = len(list((folder / "grown").iterdir()))
        return Outcome(target, tried, time.monotonic() - began, covered, grown, finding, text)


def _words(target: str, folder: Path, inputs: int, seed: int) -> list[str]:
    """Lay out what libFuzzer starts from, and return how it is told."""
    for sub in ("seeds", "grown"):
        (folder / sub).mkdir()
    for number, data in enumerate(kept(target)):
        (folder / "seeds" / f"{number:03}").write_bytes(data)
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in words_in(kept(target)))
    (folder / "words").write_text("".join(f'"{word}"\n' for word in escaped))
    return [
        f"-runs={inputs}", f"-seed={seed}", f"-max_len={MAX_BYTES}", f"-timeout={MAX_SECONDS}",
        f"-rss_limit_mb={MAX_MEGABYTES}", f"-dict={folder / 'words'}", "-print_final_stats=1",
        f"-artifact_prefix={folder}/finding-", str(folder / "grown"), str(folder / "seeds"),
    ]  # fmt: skip


def _tried(report: Path) -> int:
    text = report.read_text() if report.exists() else ""
    return int(text or 0)


def _show(outcomes: Sequence[Outcome], seed: int) -> None:
    table = Table(title=f"Inputs made by atheris, seed {seed}", title_justify="left")
    for name in ("target", "inputs", "seconds", "branches", "inputs that reached more", "failed"):
        table.add_column(name, justify="left" if name == "target" else "right")
    for each in outcomes:
        table.add_row(
            each.target, f"{each.tried:,}", f"{each.seconds:,.0f}", f"{each.covered:,}",
            f"{each.grown:,}", "1" if each.finding is not None else "0",
        )  # fmt: skip
    total = sum(each.tried for each in outcomes)
    failed = [each for each in outcomes if each.finding is not None]
    seconds = sum(each.seconds for each in outcomes)
    table.add_section()
    table.add_row("together", f"{total:,}", f"{seconds:,.0f}", "", "", str(len(failed)))
    Console(width=100).print(table)
    for each in failed:
        sys.stdout.write(f"\n{each.target} fails on {line_of(each.finding or b'')}\n")
        sys.stdout.write(each.said[-3_000:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
