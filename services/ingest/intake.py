"""`POST /v1/events`: a request → events → receipts.

Judged in this order: the request's form (media type, size, JSON), the caller, then each event
after the ones before it. What is unusual about a request is left to FastAPI, which comes here by
`receive`; the others, which are nearly all, come from the connection itself, without a detour
(`direct.py`). It makes no difference to what is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers
from structlog.contextvars import bind_contextvars

from services.ingest import answers
from services.ingest.callers import Callers
from services.ingest.checking import Checker
from services.ingest.core import binary
from services.ingest.core.bodies import FORMS, ONE, Item
from services.ingest.judging import judge, report
from services.ingest.pressure import URGENT
from services.ingest.rates import Rates
from services.ingest.reading import Patience, check_length, read_body
from shared.contract.access import Rights
from shared.contract.durability import HEADER, asked_by
from shared.contract.errors import Refused
from shared.contract.events import Event
from shared.contract.receipts import Receipt
from shared.contract.tracing import Trace, read_trace, within
from shared.runtime.clock import new_name
from shared.runtime.durability import Levels, Wait

PATIENCE = Patience()
#: Events parsed before others get their turn: some milliseconds' worth.
TURN_EVENTS = 50

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Intake:
    """What filing takes: the way to the ledger, and who may go it."""

    checker: Checker
    callers: Callers
    levels: Levels
    rates: Rates
    patience: Patience = PATIENCE


@dataclass(frozen=True, slots=True)
class Form:
    """How a request says its events; the answer to a *single* one is its own."""

    name: str
    single: bool
    items: Callable[[bytes], Iterable[Item]]


@router.post("/v1/events", status_code=202)
async def receive(request: Request) -> Response:
    """File one event, a batch, or one event a line; answers with a receipt for each, in order."""
    intake: Intake = request.app.state.intake
    host = request.client.host if request.client else None

    async def body() -> bytes:
        check_length(request)
        return await read_body(request, intake.patience)

    return await answer(intake, request.headers, host, body)


async def answer(
    intake: Intake, headers: Headers, host: str | None, read: Callable[[], Awaitable[bytes]]
) -> Response:
    """File what a request from *host* brings, and answer it; *read* brings the body.

    Raises:
        WritethruError: the request is refused as a whole.
    """
    bind_contextvars(request=new_name())
    form = form_of(headers)
    asked = asked_by(headers.getlist(HEADER))
    body = await read()
    items = form.items(body)
    rights = await intake.callers.rights(headers, host)
    wait = intake.levels.wait(asked, rights.durability)
    trace = _trace_of(headers)
    judged = await _judge_all(items, rights, trace)
    await intake.rates.spend(rights.allowance, _counted(judged))
    receipts = await _file(intake.checker, judged, rights, wait)
    report(receipts, form=form.name, bytes=len(body), caller=rights.who)
    return answers.of_one(receipts[0]) if form.single else answers.of_many(receipts)


def form_of(headers: Headers) -> Form:
    """Return how the body is to be read. Raises Refused as `unsupported`."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused("unsupported", "The body has a Content-Encoding; send it uncompressed.")
    given = headers.get("content-type", "")
    name = given.partition(";")[0].strip().lower()
    if name in FORMS:
        return Form(name, name == ONE, FORMS[name])
    if name == binary.DATA and binary.is_binary(headers.raw):
        return Form(name, single=True, items=partial(_in_binary, headers.raw, given))
    known = f"{', '.join(FORMS)}, or {binary.DATA} with the headers of CloudEvents (ce-id, …)"
    raise Refused("unsupported", f"Send the Content-Type that fits: {known}.")


def _in_binary(headers: binary.Headers, media_type: str, body: bytes) -> Iterable[Item]:
    return [binary.read(headers, media_type, body)]


def _trace_of(headers: Headers) -> Trace | None:
    """Return the trace that the sender is in, for the events that name none."""
    trace = read_trace(headers.get("traceparent"), headers.get("tracestate"))
    bind_contextvars(**({"trace": trace.trace_id} if trace else {}))
    return trace


async def _judge_all(
    items: Iterable[Item], rights: Rights, trace: Trace | None
) -> list[Event | Receipt]:
    judged: list[Event | Receipt] = []
    for item in items:
        verdict = judge(item, rights)
        judged.append(within(verdict, trace) if isinstance(verdict, Event) else verdict)
        if len(judged) % TURN_EVENTS == 0:
            await asyncio.sleep(0)
    return judged


def _counted(judged: Sequence[Event | Receipt]) -> int:
    """Return how many count towards a key's rate: what takes a text back never waits."""
    return sum(isinstance(each, Event) and not isinstance(each.act, URGENT) for each in judged)


async def _file(
    checker: Checker, judged: Sequence[Event | Receipt], rights: Rights, wait: Wait | None
) -> list[Receipt]:
    events = [each for each in judged if isinstance(each, Event)]
    filed = iter(await checker.file(events, rights.checks, wait))
    return [next(filed) if isinstance(each, Event) else each for each in judged]
