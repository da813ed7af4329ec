"""Sends again what a log of filing has, and the ledgers have not.

A takeover can lose what a primary had accepted and not passed on. A publisher sees that by its
receipts: the ledger has another chain at their seq, or nothing. Under the same ids an event that is
there after all counts once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from services.cli.filing_log import Filed, FilingLog, Name
from services.cli.sending import Receipt, Sender, requests

#: Seq and chain of an event in a ledger.
Place = tuple[int, str]


async def missing(filed: Sequence[Filed], sender: Sender) -> list[Filed]:
    """Return those of *filed*, in their order, that don't stand where their receipts say.

    So are those without a receipt, or without an outcome, and those that are held unless they have
    been released. What was refused is not among them.

    Raises:
        Failure: a ledger can't be read.
    """
    wanted: dict[str, list[Filed]] = {}
    for each in filed:
        if not each.refused:
            wanted.setdefault(each.name.article, []).append(each)
    places: dict[Name, Place] = {}
    for slug, events in wanted.items():
        places |= await _places(slug, events, sender)
    return [each for each in filed if not each.refused and not _is_borne_out(each, places)]


def _is_borne_out(filed: Filed, places: Mapping[Name, Place]) -> bool:
    found = places.get(filed.name)
    if filed.place is None:  # held, and released since; or open
        return found is not None and filed.stored
    return found == filed.place


async def _places(slug: str, events: Sequence[Filed], sender: Sender) -> dict[Name, Place]:
    """Return where the ledger of *slug* has its events, from the first of *events* on."""
    known = [each.place[0] for each in events if each.place]
    after = min(known, default=1) - 1 if len(known) == len(events) else 0
    return {
        Name(slug, line["source"], line["id"]): (line["seq"], line["chain"])
        for line in await sender.ledger(slug, after)
    }


async def file_logged(
    events: Sequence[str], sender: Sender, log: FilingLog | None
) -> AsyncIterator[Receipt]:
    """File *events* as `Sender.file` does, with a *log* if there is one."""
    for some in requests(events):
        if log:
            log.intend(some)
        async for receipt in sender.file(some):
            if log:
                log.note(receipt)
            yield receipt
