"""`writethru publish`: files events from files with a running ingest."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

import orjson
from typer import Argument, Option

from services.cli.failure import Failure, misused
from services.cli.progress import progress
from services.cli.reading import Found, read
from services.cli.remote import INGEST
from services.cli.sending import Receipt, Sender
from services.cli.telling import counted, one_line
from shared.contract.durability import parse_durability


def command(
    files: Annotated[
        list[str],
        Argument(
            metavar="FILE",
            help="Events as JSON, a JSON array or NDJSON; - is standard input.",
        ),
    ],
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
) -> None:
    """File events, and print a receipt for each as a line of JSON.

    Sending a file again is safe: an event that is stored already comes back as a duplicate.
    """
    events = list(read(files))
    if not events:
        raise Failure("there are no events in what was given; an empty array files nothing")
    try:
        level = parse_durability(durability) if durability else None
    except ValueError as error:
        raise misused(f"--durability: {error}") from None
    asyncio.run(_publish(events, Sender(to, key, level)))


async def _publish(events: Sequence[Found], to: Sender) -> None:
    statuses: Counter[str] = Counter()
    async with to as sender:
        with progress("filing events", len(events), shown=not sys.stdout.isatty()) as advance:
            async for receipt in sender.file([event.text for event in events]):
                _print(receipt, events[statuses.total()])
                statuses[receipt["status"]] += 1
                advance()
    if missing := statuses["rejected"]:
        raise Failure(
            f"{missing} of {counted(len(events), 'event')} rejected; the receipts say why"
        )
    if missing := statuses["unknown"]:
        raise Failure(
            f"{missing} of {counted(len(events), 'event')} may be stored or not; "
            "run the same command again: what is stored counts once"
        )


def _print(receipt: Receipt, event: Found) -> None:
    """Print *receipt*; a `line` is the file's, not the request's."""
    if "line" in receipt:
        receipt = receipt | {"line": event.line}
    sys.stdout.buffer.write(orjson.dumps(receipt) + b"\n")
    sys.stdout.buffer.flush()
    for line in told(receipt):
        print(f"writethru: {line}", file=sys.stderr, flush=True)


def told(receipt: Receipt) -> Iterator[str]:
    """Say for people what the desk's checks found, a line each."""
    for finding in receipt.get("findings", ()):
        where = f"{receipt['article']} {receipt['id']}"
        yield f"{where}: {finding['level']} {finding['check']}: {one_line(finding['detail'])}"
