"""`POST /v1/events`: a request → events → receipts.

Judged in this order: the request's headers, the caller, the body, then each event after the ones
before it. The body of a caller who may not publish is never read.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from services.ingest import answers
from services.ingest.append import Appender
from services.ingest.core.bodies import FORMS, ONE, Item
from services.ingest.reading import Patience, check_length, read_body
from shared.contract.acts import Redacted
from shared.contract.errors import InvalidEvent, Refused
from shared.contract.events import Event, parse_event
from shared.contract.receipts import Receipt
from shared.runtime.problems import problem

PATIENCE = Patience()
#: Events parsed before others get their turn: some milliseconds' worth.
TURN_EVENTS = 50

_log = structlog.get_logger()

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Intake:
    """What filing takes: the way to the ledger, and whether anybody may go it."""

    appender: Appender
    no_auth: bool
    patience: Patience = PATIENCE


@router.post("/v1/events", status_code=202)
async def receive(request: Request) -> Response:
    """File one event, a batch, or one event a line; answers with a receipt for each, in order."""
    intake: Intake = request.app.state.intake
    form = media_type(request)
    check_length(request)
    authorise(intake)
    body = await read_body(request, intake.patience)
    parsed = await _parse_all(FORMS[form](body))
    receipts = await _file(intake.appender, parsed)
    _report(receipts, form=form, bytes=len(body))
    return answers.of_one(receipts[0]) if form == ONE else answers.of_many(receipts)


def media_type(request: Request) -> str:
    """Return the type that says how the body is read. Raises Refused as `unsupported`."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused("unsupported", "The body has a Content-Encoding; send it uncompressed.")
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in FORMS:
        raise Refused("unsupported", f"Send the Content-Type that fits: {', '.join(FORMS)}.")
    return found


def authorise(intake: Intake) -> None:
    """Raise Refused unless anybody may publish: there are no keys yet."""
    if not intake.no_auth:
        raise Refused(
            "unauthenticated",
            "No API keys exist yet. Start ingest with --no-auth (WRITETHRU_NO_AUTH=true) on a "
            "loopback address to let everybody on its machine publish.",
        )


def parse(item: Item) -> Event | Receipt:
    """Return the event, or its rejection."""
    if item.refusal is not None:
        return _rejection(item, item.refusal)
    try:
        event = parse_event(item.value)
    except InvalidEvent as error:
        return _rejection(item, error)
    if isinstance(event.act, Redacted):
        detail = f"{event.type} needs a key with the scope admin, and no keys exist yet."
        return _rejection(item, Refused("forbidden", detail))
    return event


def _rejection(item: Item, error: Refused) -> Receipt:
    """Name the event as far as its names are in form: nothing else of it is repeated."""
    wrong = {each.pointer for each in error.errors} if isinstance(error, InvalidEvent) else set()
    named = {
        name: value
        for name, value in (item.value or {}).items()
        if isinstance(value, str) and f"/{name}" not in wrong
    }
    return Receipt(
        status="rejected",
        id=named.get("id"),
        source=named.get("source"),
        article=named.get("subject"),
        problem=problem(error),
        line=item.line,
    )


async def _parse_all(items: Iterable[Item]) -> list[Event | Receipt]:
    parsed: list[Event | Receipt] = []
    for item in items:
        parsed.append(parse(item))
        if len(parsed) % TURN_EVENTS == 0:
            await asyncio.sleep(0)
    return parsed


async def _file(appender: Appender, parsed: Sequence[Event | Receipt]) -> list[Receipt]:
    events = [each for each in parsed if isinstance(each, Event)]
    filed = iter(await appender.append(events))
    return [next(filed) if isinstance(each, Event) else each for each in parsed]


def _report(receipts: Sequence[Receipt], **facts: Any) -> None:
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
