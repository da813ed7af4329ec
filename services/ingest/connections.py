"""How many may be connected to ingest at once, and how long they may take to say what they want.

uvicorn waits for ever for a head that was begun, and has no end to connections; both are what
somebody uses who wants nobody else to get through.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import orjson
import structlog

from services.ingest.direct import DirectProtocol
from shared.contract.errors import Busy, Refused, WritethruError
from shared.runtime.metrics import count
from shared.runtime.problems import MEDIA_TYPE, problem, seconds_after

#: Of the 1,024 files that a process usually may have open, what leaves room for the engine.
MAX_CONNECTIONS = 800
#: From a connection's first moment, or a head's first byte, to that head's end.
HEAD_SECONDS = 10.0
#: How long a refused sender has to read why.
PARTING_SECONDS = 1.0

_log = structlog.get_logger()


class Connection(DirectProtocol):
    """One sender's connection."""

    _head: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the sender in, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.connections.discard(self)
            detail = f"{MAX_CONNECTIONS} connections are open, and no more may be; nothing was "
            self._refuse(Busy(f"{detail}stored. Keep connections open and use them again."))
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Read on, and see that a head doesn't take too long."""
        if self._refused:
            return
        super().data_received(data)
        if self.occupied or self.transport.is_closing():
            self._stop_waiting()
        elif self._head is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the sender."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        detail = f"The head of the request was not there within {HEAD_SECONDS:.0f} seconds; "
        self._refuse(Refused("malformed", f"{detail}send it again."))

    def _refuse(self, error: WritethruError) -> None:
        """Say why, and hang up; what was sent meanwhile is not read."""
        self._stop_waiting()
        self._refused = True
        _log.warning("connection.refused", code=error.code)
        count("writethru_requests_refused_total", code=error.code)
        self.transport.write(_answer(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(PARTING_SECONDS, self.transport.close)


def _answer(error: WritethruError) -> bytes:
    document = problem(error)
    status, body = HTTPStatus(document["status"]), orjson.dumps(document)
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "connection: close",
    ]
    if (after := seconds_after(error)) is not None:
        head.append(f"retry-after: {after}")
    return "\r\n".join([*head, "", ""]).encode() + body
