"""HTTP on a connection, until an endpoint takes the connection over.

Requests are read and answered by uvicorn and h11, with their limits. A live stream needs nothing
of that once its head is sent, and keeps none of it: its connection gets a `Line` for a protocol.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from h11 import IDLE
from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from services.deliver.guard import Guard
from services.deliver.lines import Host, Line
from services.deliver.memory import Memory

_HAND_OVER = "writethru.hand_over"


class DeliverProtocol(H11Protocol):
    """What uvicorn makes for each connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        state = {**app_state, _HAND_OVER: self._hand_over}
        super().__init__(config, server_state, state, _loop)
        self._memory: Memory = cast("Guard", config.app).memory

    def data_received(self, data: bytes) -> None:
        """Answer from memory what can be, between two requests; leave the rest to the server."""
        conn = self.conn
        between = conn.our_state is conn.their_state is IDLE and not conn.trailing_data[0]
        if between and not self.flow.write_paused:
            wire = self._memory.answer(data, self.server_state.default_headers)
            if wire is not None:
                self.transport.write(wire)
                self.on_response_complete()
                return
        super().data_received(data)

    def _hand_over(self, line: Line, host: Host) -> bool:
        """Have *line* go on where the response's head ends; False if the reader has gone."""
        cycle, transport = self.cycle, self.transport
        if cycle is None:
            return False
        cycle.response_complete = True
        if transport.is_closing():
            return False
        self.flow.resume_reading()
        self.connections.discard(self)
        chunked = cycle.scope["http_version"] >= "1.1"
        line.begin(host, transport, self.connections, chunked=chunked)
        self._forget()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport, where it was not handed over."""
        super().connection_lost(exc)
        self._forget()

    def _forget(self) -> None:
        """Let go of what leads back to us: then nothing of us waits for a collection."""
        self.app_state = {}
        self.scope = self.cycle = None  # type: ignore[assignment]


def hand_over(scope: Scope, line: Line, host: Host) -> bool:
    """Take the connection of *scope*, whose response's head is sent, out of the server's hands.

    From then on *line* is told by *host*, and the application is done. False, and nothing is
    changed, if the reader has gone.
    """
    return bool(scope["state"][_HAND_OVER](line, host))
