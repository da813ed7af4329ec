"""`writethru doctor`: what would break a promise, and what to do about it."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.text import Text
from typer import Option

from services.cli.engine_findings import engine_findings
from services.cli.examination import examine
from services.cli.failure import WRONG_USAGE, Failure
from services.cli.finding import Finding, Level
from services.cli.installed_findings import installed_findings
from services.cli.options import is_set, settings
from services.cli.safety import read_safety, safety_findings
from services.cli.stored import DATA, DataDir, RedisUrl, engine
from services.cli.telling import counted
from shared.runtime import log
from shared.runtime.settings import Settings

STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "error": "bold red"}
LEVEL = max(map(len, STYLES))


def command(
    redis_url: RedisUrl = None,
    data_dir: DataDir = None,
    strict: Annotated[
        bool, Option("--strict", metavar="", help="Exit with 1 for warnings, too.")
    ] = False,
) -> None:
    """Look for whatever would break a promise, and say what to do about it.

    Settings, engine, clock, renderers, keys and what waits. Nothing is changed. Exits with 1 if
    there is an error; it may run while the stack does.
    """
    log.configure("doctor", "error")
    findings = asyncio.run(look_over(redis_url, data_dir))
    _show(findings)
    if _many(findings, "error") or (strict and _many(findings, "warning")):
        raise Failure(f"{_summary(findings)}; what to do stands with each")
    print(_summary(findings))


async def look_over(redis_url: str | None, data_dir: Path | None) -> Sequence[Finding]:
    """Return what there is to say; what can't be looked at is a finding, too."""
    try:
        chosen = settings(redis_url=redis_url)
    except Failure as wrong:
        return [Finding("error", "settings", str(wrong), "mend it; the rest is looked at then")]
    try:
        return await _look(chosen, redis_url, data_dir)
    except Failure as failure:
        if failure.status == WRONG_USAGE:
            raise
        return [Finding("error", "engine", *_in_two(str(failure)))]


async def _look(
    chosen: Settings, redis_url: str | None, data_dir: Path | None
) -> Sequence[Finding]:
    own = data_dir or (None if redis_url or is_set("redis_url") else DATA)
    async with engine(redis_url, data_dir) as redis:
        found = await examine(redis, own)
        safety = await read_safety(redis, own)
    return [
        *engine_findings(chosen, found),
        *safety_findings(safety),
        *installed_findings(chosen, found.installed),
    ]


def _in_two(line: str) -> tuple[str, str]:
    """Split what a failure says and what it advises."""
    said, _, remedy = line.partition("; ")
    return said, remedy or "start it, or name another with --redis-url or --data-dir"


def _show(findings: Sequence[Finding]) -> None:
    console = Console()
    about = max(len(each.about) for each in findings)
    margin = " " * (LEVEL + 1 + about + 2)
    for each in findings:
        level = Text(f"{each.level:<{LEVEL}} ", STYLES[each.level])
        head = Text.assemble(level, f"{each.about:<{about}}  ")
        remedy = [f"→ {each.remedy}"] if each.remedy else []
        for line in (each.detail, *remedy):
            for part in _wrapped(console, line, len(margin)):
                console.print(head, part, sep="", highlight=False, soft_wrap=True)
                head = Text(margin)
    sys.stdout.flush()


def _wrapped(console: Console, line: str, margin: int) -> Sequence[str]:
    """Cut *line* for a terminal; into a file it goes whole."""
    width = max(console.width - margin, 20)
    return textwrap.wrap(line, width, subsequent_indent="  ") if console.is_terminal else [line]


def _many(findings: Sequence[Finding], level: Level) -> int:
    return sum(each.level == level for each in findings)


def _summary(findings: Sequence[Finding]) -> str:
    checks = counted(len(findings), "check")
    levels: tuple[Level, ...] = ("error", "warning")
    found = [counted(number, level) for level in levels if (number := _many(findings, level))]
    return f"{' and '.join(found)} in {checks}" if found else f"{checks}: all is well"
