"""An item → an event that may be filed, or the receipt that says why not: rights, and form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from services.ingest.core.bodies import Item
from services.ingest.counting import count_event
from shared.contract.access import Rights
from shared.contract.acts import ACTS
from shared.contract.errors import InvalidEvent, Refused
from shared.contract.events import Event, check_extent, parse_event
from shared.contract.receipts import Receipt
from shared.runtime.problems import problem

_log = structlog.get_logger()

_IN_FORM = InvalidEvent([])


def judge(item: Item, rights: Rights) -> Event | Receipt:
    """Return the event, or its rejection.

    Rights come before form, as far as type, article and source are in form themselves.
    """
    if item.refusal is not None:
        return _rejection(item, item.refusal)
    value = item.value or {}
    try:
        event = parse_event(value)
        check_extent(event)
    except InvalidEvent as wrong:
        return _rejection(item, _forbidden(value, rights, wrong) or wrong, wrong)
    refusal = _forbidden(value, rights, _IN_FORM)
    return event if refusal is None else _rejection(item, refusal)


def report(receipts: Sequence[Receipt], **facts: Any) -> None:
    """Log what became of events: their names and problem codes, never what they say."""
    for receipt in receipts:
        if receipt.status == "rejected" and receipt.problem is not None:
            _log.warning(
                "event.refused",
                code=receipt.problem["code"],
                id=receipt.id,
                source=receipt.source,
                article=receipt.article,
            )
    _log.info("events.received", **facts, **Counter(receipt.status for receipt in receipts))


def _forbidden(value: Mapping[str, Any], rights: Rights, wrong: InvalidEvent) -> Refused | None:
    if _pointers(wrong) & {"/type", "/subject", "/source"} or value["type"] not in ACTS:
        return None
    said = rights.refusal_to_file(value["type"], value["subject"], value["source"])
    return Refused("forbidden", said) if said else None


def _pointers(wrong: InvalidEvent) -> set[str]:
    return {each.pointer for each in wrong.errors}


def _rejection(item: Item, error: Refused, wrong: InvalidEvent = _IN_FORM) -> Receipt:
    """Name the event as far as its names are in form: nothing else of it is repeated."""
    out_of_form = _pointers(wrong)
    named = {
        name: value
        for name, value in (item.value or {}).items()
        if isinstance(value, str) and f"/{name}" not in out_of_form
    }
    receipt = Receipt(
        status="rejected",
        id=named.get("id"),
        source=named.get("source"),
        article=named.get("subject"),
        problem=problem(error),
        line=item.line,
    )
    count_event((item.value or {}).get("type"), receipt)
    return receipt
