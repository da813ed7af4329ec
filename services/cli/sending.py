"""Files events with ingest: in requests within its limits, and again wherever that is safe.

It is safe whenever the outcome is open: an event keeps its id, so ingest takes it once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import orjson
import stamina
from stamina.instrumentation import set_on_retry_hooks

from services.cli.failure import Failure
from services.cli.remote import client, unreachable
from shared.contract.durability import HEADER, Durability

MAX_REQUEST_BYTES = 8 * 1024 * 1024
#: Ingest takes 10,000; fewer make a repeat cheaper and progress visible.
MAX_REQUEST_EVENTS = 1_000

#: How long to go on trying: a server that has answered before is likely to come back.
PATIENCE_SECONDS, FIRST_PATIENCE_SECONDS = 60.0, 3.0

STORED = ("accepted", "duplicate", "held")
_OPEN_CODES = ("busy", "durability-timeout")

Receipt = dict[str, Any]

set_on_retry_hooks([])  # else stamina logs each retry


class _Again(Exception):
    """The outcome is open; *after* is how many seconds to wait, if the server said so."""

    def __init__(self, after: float | None) -> None:
        super().__init__()
        self.after = after


class Sender:
    """Files events at *url*; used as a context manager."""

    def __init__(
        self, url: str, key: str | None = None, durability: Durability | None = None
    ) -> None:
        self._url = url
        self._client = client(url, "--to")
        self._headers = {"content-type": "application/x-ndjson"}
        if key is not None:
            self._client.headers["authorization"] = f"Bearer {key}"
        if durability is not None:
            self._headers[HEADER] = durability
        self._answered = False

    async def __aenter__(self) -> Sender:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def file(self, events: Sequence[str]) -> AsyncIterator[Receipt]:
        """Yield one receipt for each of *events*, each one line of JSON, in order.

        Raises:
            Failure: ingest does not answer, or refuses the whole request.
        """
        for request in requests(events):
            async for receipt in self._settle(request):
                yield receipt

    async def ledger(self, slug: str, after: int) -> list[dict[str, Any]]:
        """Return the events of an article after seq *after*; none if there is no such article.

        Raises:
            Failure: ingest does not answer, or does not let the key read.
        """
        try:
            async for attempt in self._attempts():
                with attempt:
                    return await self._read(f"/v1/articles/{slug}/events", after)
        except (_Again, httpx2.TransportError):
            if not self._answered:
                raise unreachable(self._url, "--to") from None
        raise Failure(f"{self._url} can't read its ledgers at the moment; try again later")

    async def _read(self, path: str, after: int) -> list[dict[str, Any]]:
        answer = await self._client.get(path, params={"after": after})
        self._answered = True
        if answer.status_code == httpx2.codes.NOT_FOUND and _code(answer) == "unknown-article":
            return []
        if _is_passing(answer):
            raise _Again(_seconds(answer.headers.get("retry-after")))
        if answer.status_code != httpx2.codes.OK:
            raise _refused(answer)
        return [orjson.loads(line) for line in answer.content.splitlines()]

    async def _settle(self, events: Sequence[str]) -> AsyncIterator[Receipt]:
        receipts: list[Receipt | None] = [None] * len(events)
        given = 0
        try:
            async for attempt in self._attempts():
                with attempt:
                    await self._send_what_is_open(events, receipts, given)
                for receipt in _final(receipts[given:]):
                    given += 1
                    yield receipt
        except _Again:
            for number in range(given, len(events)):
                yield receipts[number] or {"status": "unknown"}
        except httpx2.TransportError:
            raise self._lost(given, len(events)) from None

    async def _send_what_is_open(
        self, events: Sequence[str], receipts: list[Receipt | None], given: int
    ) -> None:
        """Send what isn't stored yet: what came after an open one may have been refused for it."""
        unsent = range(given, len(events))
        todo = [number for number in unsent if not _stored(receipts[number])]
        answers, after = await self._post([events[number] for number in todo])
        for number, receipt in zip(todo, answers, strict=True):
            receipts[number] = receipt
        if any(_is_open(receipt) for receipt in answers):
            raise _Again(after)

    async def _post(self, events: Sequence[str]) -> tuple[list[Receipt], float | None]:
        body = "\n".join(events).encode()
        answer = await self._client.post("/v1/events", content=body, headers=self._headers)
        self._answered = True
        after = _seconds(answer.headers.get("retry-after"))
        if _is_passing(answer):
            raise _Again(after)
        if answer.status_code not in (httpx2.codes.ACCEPTED, httpx2.codes.MULTI_STATUS):
            raise _refused(answer)
        return answer.json()["receipts"], after

    def _attempts(self) -> Any:
        patience = PATIENCE_SECONDS if self._answered else FIRST_PATIENCE_SECONDS
        return stamina.retry_context(
            on=_worth_it, attempts=None, timeout=patience, wait_max=2.0, wait_jitter=0.2
        )

    def _lost(self, given: int, of: int) -> Failure:
        if not self._answered:
            return unreachable(self._url, "--to")
        return Failure(
            f"{self._url} stopped answering with {of - given} events of a request open; "
            "run the same command again when it is back: what is stored counts once"
        )


def requests(events: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut *events* into requests that ingest takes."""
    start, size = 0, 0
    for number, event in enumerate(events):
        more = len(event.encode()) + 1
        full = number - start == MAX_REQUEST_EVENTS or size + more > MAX_REQUEST_BYTES
        if full and number > start:
            yield events[start:number]
            start, size = number, 0
        size += more
    if start < len(events):
        yield events[start:]


def _final(receipts: Sequence[Receipt | None]) -> Iterator[Receipt]:
    """Yield those that nothing can change any more: all before the first open one."""
    for receipt in receipts:
        if receipt is None or _is_open(receipt):
            return
        yield receipt


def _stored(receipt: Receipt | None) -> bool:
    return receipt is not None and receipt["status"] in STORED


def _is_open(receipt: Receipt) -> bool:
    code = receipt.get("problem", {}).get("code")
    return receipt["status"] == "unknown" or code in _OPEN_CODES


def _is_passing(answer: httpx2.Response) -> bool:
    return answer.status_code in (httpx2.codes.TOO_MANY_REQUESTS, *range(500, 600))


def _code(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _worth_it(error: Exception) -> bool | float:
    if isinstance(error, _Again):
        return error.after or True
    return isinstance(error, httpx2.TransportError)


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None


def _refused(answer: httpx2.Response) -> Failure:
    """Say why ingest took nothing of a request."""
    try:
        problem = answer.json()
        why = f"{problem['title']}: {problem.get('detail', '')}".rstrip(":. ")
    except (ValueError, KeyError, TypeError):
        why = answer.reason_phrase
    remedy = {
        401: "; name a key with --key, or start the stack with `writethru up --no-auth`",
        403: "; name a key that may, with --key",
        404: "; is --to the address of ingest?",
    }.get(answer.status_code, "")
    return Failure(f"{answer.url} refuses the request ({answer.status_code}): {why}{remedy}")
