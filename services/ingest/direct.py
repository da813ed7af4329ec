"""Requests that file events, answered from their connection, past the server's parser and FastAPI.

That machinery costs ten times what filing an event does. What is unusual about a request, and every
other request, is left to it; `intake.py` has the events either way, so it makes no difference to
what is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from h11 import IDLE
from starlette.datastructures import Headers
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.ingest.core.plain_posts import Head, head_of
from services.ingest.faults import failed, refused
from services.ingest.intake import answer
from shared.contract.errors import WritethruError

if TYPE_CHECKING:
    from fastapi import FastAPI

#: How long a body is waited for here; most clients send it right after its head, apart.
HOLD_SECONDS = 0.2

_BEGINNINGS = {
    each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus
}


class DirectProtocol(H11Protocol):
    """What uvicorn makes for each connection, but for requests that file events."""

    _held = b""
    """What has come of a request of which there is to be more, or after one that is answered."""
    _release: asyncio.TimerHandle | None = None
    _filing = False
    _last = False
    """Whether the connection ends with the answer that is being made."""

    @property
    def occupied(self) -> bool:
        """Whether there is a request whose head is there, and whose answer is not."""
        answering = self.cycle is not None and not self.cycle.response_complete
        return answering or self._filing or bool(self._held)

    def data_received(self, data: bytes) -> None:
        """Take what is a whole request, hold what is to become one, and leave the rest."""
        if self._filing:
            self._held += data
            self.flow.pause_reading()
            return
        data = self._held + data
        head = head_of(data) if self._between_requests() else None
        if head is None or len(data) > head.end:
            self._stop_holding()
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        if len(data) == head.end:
            self._stop_holding()
            self._take(head, data[head.begin :])
        else:
            self._held = data
            self._release = self._release or self.loop.call_later(HOLD_SECONDS, self._let_go)

    def connection_lost(self, exc: Exception | None) -> None:
        """Have the loss of half a request noted as any other."""
        if self._filing:
            self._held = b""
        self._let_go()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End the connection, after an answer that is being made."""
        if self._filing:
            self._last = True
            return
        self._let_go()
        super().shutdown()

    def _between_requests(self) -> bool:
        conn = self.conn
        idle = conn.our_state is conn.their_state is IDLE and not conn.trailing_data[0]
        return idle and not self.flow.write_paused

    def _stop_holding(self) -> bytes:
        if self._release is not None:
            self._release.cancel()
            self._release = None
        held, self._held = self._held, b""
        return held

    def _let_go(self) -> None:
        """Leave what is held to the server."""
        if held := self._stop_holding():
            super().data_received(held)

    def _take(self, head: Head, body: bytes) -> None:
        self._filing = True
        task = self.loop.create_task(self._file(Headers(raw=head.fields), body))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _file(self, headers: Headers, body: bytes) -> None:
        response = await self._answer(headers, body)
        self._filing = False
        if self.transport.is_closing():
            return
        self.transport.write(_wire(response, self.server_state.default_headers))
        if self._last:
            self.transport.close()
        self.on_response_complete()
        if self._held:
            self.data_received(b"")

    async def _answer(self, headers: Headers, body: bytes) -> Response:
        async def read() -> bytes:
            return body

        app = cast("FastAPI", self.config.app)
        host = self.client[0] if self.client else None
        try:
            return await answer(app.state.intake, headers, host, read)
        except WritethruError as error:
            return refused(error)
        except Exception as error:
            self.logger.error("Exception while events were filed\n", exc_info=error)
            self._last = True
            return failed(error)


def _wire(response: Response, server: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the bytes that the server would send."""
    fields = [b"%b: %b\r\n" % each for each in (*server, *response.raw_headers)]
    return b"".join([_BEGINNINGS[response.status_code], *fields, b"\r\n", response.body])
