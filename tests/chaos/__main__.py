"""Chaos as commands, each with a report.

python -m tests.chaos --faults 600 --engine-kills 60 --events 100000   real processes under fire
python -m tests.chaos --minutes 30                                     likewise, by time
python -m tests.chaos mutants --seconds 40                             how many seeded bugs it finds
python -m tests.chaos levels --rounds 20                               what each level loses
python -m tests.chaos backpressure --minutes 3                         renderers stand still
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos import backpressure, campaign, levels, report
from tests.chaos.campaign import Campaign
from tests.chaos.desk import Load
from tests.chaos.findings import Findings
from tests.chaos.mutants import score
from tests.chaos.mutants.bugs import MUTANTS
from tests.chaos.plan import by_count, endless

Tell = Callable[[str, int, int], None]


def main(argv: Sequence[str]) -> int:
    """Return the exit status: 1 if a promise was broken, or a seeded bug was not found."""
    options = _options(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, _bar() as tell:
        lines, well = options.act(options, Path(folder), tell)
    if options.report and options.report.suffix != ".json":
        options.report.write_text("\n".join([*lines, ""]))
    return int(not well)


def _options(argv: Sequence[str]) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m tests.chaos", description=__doc__, formatter_class=raw
    )
    parser.set_defaults(act=_campaign)
    _shared(parser)
    parser.add_argument("--faults", type=int, default=60, metavar="N")
    parser.add_argument("--engine-kills", type=int, default=6, metavar="N", help="of the faults")
    parser.add_argument("--events", type=int, default=0, metavar="N", help="at least acknowledged")
    parser.add_argument("--minutes", type=float, metavar="M", help="in place of a number of faults")
    parser.add_argument("--pace", type=float, default=1.0, metavar="X", help="longer pauses")
    parser.add_argument("--rate", type=float, default=150.0, metavar="N", help="events a second")
    parser.add_argument("--desks", type=int, default=8, metavar="N", help="that file at once")
    parser.add_argument("--at-once", type=int, default=6, metavar="N", help="events in a request")
    parser.add_argument("--fail", type=float, default=1.0, metavar="X", help="more often in places")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="renderers")
    acts = parser.add_subparsers()
    hunting = acts.add_parser("mutants", help="how many seeded bugs are found, and how soon")
    hunting.set_defaults(act=_mutants)
    hunting.add_argument("--seconds", type=float, default=40.0, metavar="S", help="for each bug")
    hunting.add_argument("--only", action="append", choices=MUTANTS, metavar="BUG")
    losing = acts.add_parser("levels", help="what each level of durability loses")
    losing.set_defaults(act=_levels)
    losing.add_argument("--rounds", type=int, default=20, metavar="N", help="of each case")
    pressing = acts.add_parser("backpressure", help="renderers stand still under load")
    pressing.set_defaults(act=_backpressure)
    pressing.add_argument("--minutes", type=float, default=3.0, metavar="M")
    pressing.add_argument("--most", type=int, default=5_000, metavar="N", help="that may wait")
    for each in (hunting, losing, pressing):
        _shared(each)
    return parser.parse_args(argv)


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="fixes the plan")
    parser.add_argument("--report", type=Path, metavar="FILE", help="as .md; a campaign's as .json")


def _campaign(options: argparse.Namespace, folder: Path, tell: Tell) -> tuple[list[str], bool]:
    timed = options.minutes is not None
    outcome = campaign.run(
        Campaign(
            seed=options.seed,
            faults=endless(options.seed, options.pace)
            if timed
            else by_count(options.seed, options.faults, options.engine_kills, options.pace),
            events=options.events,
            seconds=options.minutes * 60 if timed else None,
            load=Load(options.desks, options.rate, options.at_once),
            fail=options.fail,
            workers=options.workers,
        ),
        folder,
        tell,
    )
    _show(report.rows(outcome))
    if options.report:
        report.write(outcome, options.report)
        shutil.copy(folder / "journal.ndjson", options.report.with_suffix(".ndjson"))
    return report.document(outcome), _verdict(outcome.findings)


def _mutants(options: argparse.Namespace, folder: Path, tell: Tell) -> tuple[list[str], bool]:
    names, scores = options.only or list(MUTANTS), []
    for number, name in enumerate(names):
        tell(name, number, len(names))
        (its := folder / str(number)).mkdir()
        scores.append(score.hunt(name, options.seconds, options.seed, its))
        Console(stderr=True).print(score.line(scores[-1]), markup=False)
    lines = score.table(scores)
    Console(soft_wrap=True).print("\n".join(lines), markup=False)
    return lines, all(each.seconds is not None or score.is_hidden(each.name) for each in scores)


def _levels(options: argparse.Namespace, folder: Path, tell: Tell) -> tuple[list[str], bool]:
    losses: dict[tuple[str, str], levels.Loss] = {}
    total = len(levels.CASES) * options.rounds
    for done, loss in enumerate(levels.measure(levels.CASES, options.rounds, options.seed), 1):
        losses[loss.disaster, loss.level] = loss
        tell(f"{loss.disaster}, {loss.level}", done, total)
    lines = levels.table(losses.values())
    Console(soft_wrap=True).print("\n".join(lines), markup=False)
    return lines, all(levels.keeps(loss) for loss in losses.values())


def _backpressure(options: argparse.Namespace, folder: Path, tell: Tell) -> tuple[list[str], bool]:
    tell("under pressure", 0, 0)
    pressed = backpressure.run(folder, options.minutes * 60, options.most)
    _show(backpressure.rows(pressed))
    lines = ["| | |", "|---|---:|", *(f"| {a} | {b} |" for a, b in backpressure.rows(pressed))]
    return lines, _verdict(pressed.findings)


@contextmanager
def _bar() -> Iterator[Tell]:
    """Show how far it is on standard error, to whoever looks."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
    with bar:
        task = bar.add_task("starting", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total or None
        )


def _show(rows: Iterable[tuple[str, str]]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)


def _verdict(findings: Findings) -> bool:
    """Print what is broken, and return whether nothing is."""
    console = Console()
    for broken in findings.broken:
        console.print(broken, style="red", markup=False)
    held = "every promise held" if not findings else f"{len(findings)} findings"
    console.print(held, style="bold red" if findings else "bold green")
    return not findings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
