"""`writethru publish`: files events from files with a running ingest."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import orjson
from typer import Argument, Option

from services.cli.failure import Failure, misused
from services.cli.filing_log import FilingLog
from services.cli.progress import progress
from services.cli.reading import Found, read
from services.cli.redrive import file_logged, missing
from services.cli.remote import INGEST
from services.cli.saying import say
from services.cli.sending import Receipt, Sender
from services.cli.telling import counted, one_line
from shared.contract.durability import Durability, parse_durability


def command(
    files: Annotated[
        list[str] | None,
        Argument(
            metavar="FILE",
            help="Events as JSON, a JSON array or NDJSON; - is standard input.",
        ),
    ] = None,
    to: Annotated[str, Option("--to", metavar="URL", help="Where ingest is.")] = INGEST,
    key: Annotated[
        str | None, Option("--key", metavar="KEY", help="An API key; it begins with wt_.")
    ] = None,
    durability: Annotated[
        str | None,
        Option(
            metavar="LEVEL",
            help="Where events are to be before their receipts: memory, fsync, replica or "
            r"replica-fsync. \[default: the installation's]",
        ),
    ] = None,
    log: Annotated[
        Path | None,
        Option(
            metavar="LOG", help="Keep what is filed, and its receipts, at the end of this file."
        ),
    ] = None,
    redrive: Annotated[
        Path | None,
        Option(
            metavar="LOG",
            help="Instead of files: compare such a log with the ledgers, and file again what they "
            "have lost. It takes a key with the scope read, too.",
        ),
    ] = None,
) -> None:
    """File events, and print a receipt for each as a line of JSON.

    Sending a file again is safe: an event that is stored already comes back as a duplicate.
    """
    if bool(files) == bool(redrive):
        raise misused("give it either files of events, or --redrive with the log of a publisher")
    if log and redrive:
        raise misused("--redrive goes on with the log that it is given; leave --log out")
    sender = Sender(to, key, _level(durability))
    if redrive:
        if not redrive.is_file():
            raise Failure(f"there is no log {redrive}; `publish --log` makes one")
        asyncio.run(_redrive(redrive, sender))
    else:
        asyncio.run(_publish(_events(files or []), sender, log))


def _level(durability: str | None) -> Durability | None:
    try:
        return parse_durability(durability) if durability else None
    except ValueError as error:
        raise misused(f"--durability: {error}") from None


def _events(files: Sequence[str]) -> Sequence[Found]:
    events = list(read(files))
    if not events:
        raise Failure("there are no events in what was given; an empty array files nothing")
    return events


async def _publish(events: Sequence[Found], to: Sender, log: Path | None) -> None:
    texts = [event.text for event in events]
    with FilingLog(log) if log else nullcontext() as kept:
        async with to as sender:
            statuses = await _file(texts, sender, kept, events)
    _judge(statuses, "run the same command again: what is stored counts once")


async def _redrive(path: Path, to: Sender) -> None:
    with FilingLog(path) as log:
        filed = log.filed()
        async with to as sender:
            lost = await missing(filed, sender)
            statuses = await _file([each.text for each in lost], sender, log)
    say(_summary(statuses, len(filed)))
    _judge(statuses, "redrive the log again")


def _summary(statuses: Counter[str], of: int) -> str:
    """Say what a redrive has found, and done, in one line."""
    if not statuses:
        return f"nothing is missing: {counted(of, 'event')} of the log looked up"
    stored = statuses["accepted"] + statuses["held"]
    parts = [f"{counted(stored, 'event')} of {of:,} filed again"]
    if known := statuses["duplicate"]:
        parts.append(f"{known:,} there already, in another place or held")
    return ", ".join(parts)


async def _file(
    texts: Sequence[str], sender: Sender, log: FilingLog | None, found: Sequence[Found] = ()
) -> Counter[str]:
    """File *texts*, which were *found* in files if at all; return the statuses of the receipts."""
    statuses: Counter[str] = Counter()
    with progress("filing events", len(texts), shown=not sys.stdout.isatty()) as advance:
        async for receipt in file_logged(texts, sender, log):
            if "line" in receipt and found:  # the file's, not the request's
                receipt = receipt | {"line": found[statuses.total()].line}
            _print(receipt)
            statuses[receipt["status"]] += 1
            advance()
    return statuses


def _judge(statuses: Counter[str], remedy: str) -> None:
    all_of_them = counted(statuses.total(), "event")
    if missing := statuses["rejected"]:
        raise Failure(f"{missing} of {all_of_them} rejected; the receipts say why")
    if missing := statuses["unknown"]:
        raise Failure(f"{missing} of {all_of_them} may be stored or not; {remedy}")


def _print(receipt: Receipt) -> None:
    sys.stdout.buffer.write(orjson.dumps(receipt) + b"\n")
    sys.stdout.buffer.flush()
    for line in told(receipt):
        say(line)


def told(receipt: Receipt) -> Iterator[str]:
    """Say for people what the desk's checks found, a line each."""
    for finding in receipt.get("findings", ()):
        where = f"{receipt['article']} {receipt['id']}"
        yield f"{where}: {finding['level']} {finding['check']}: {one_line(finding['detail'])}"
