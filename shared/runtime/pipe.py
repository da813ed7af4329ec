"""One connection to the engine on which nobody waits for those before: what many ask shares trips.

Commands of one turn of the loop leave in one write, and answers come back in their order. A client
with a pool takes a connection for each who waits, and each costs the engine and us a round trip of
its own. Where writes are synced, those in one write share the sync, too.

It is only ever quicker. Where there is no such connection (not yet, not any more; or the engine has
sentinels or is a cluster, whose clients ask who is the one to talk to), the client is asked, which
tries again what a lost connection leaves open. So, as there, a repeat must be harmless.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
import structlog
from redis import exceptions
from redis._parsers.base import BaseParser
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.runtime.redis import LOST, SOCKET_TIMEOUT_SECONDS

Word = str | bytes | int
Command = Sequence[Word]

#: How soon after one try to connect there may be another.
AGAIN_SECONDS = 0.5

_NOTHING = object()
_packed: Callable[[tuple[Word, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]
_log = structlog.get_logger()


class Pipe:
    """Such a connection beside *redis*, whose address and user it has.

    It opens when it is first used, if it *opens* at all; else it is the client's pipelines.
    """

    def __init__(self, redis: Redis, *, opens: bool = True) -> None:
        self._redis = redis
        self._wire: _Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._suits = opens and type(redis) is Redis

    async def ask(self, *commands: Command) -> list[Any]:
        """Return the answers to *commands*, errors in their places.

        Raises:
            RedisError, OSError: as a client's pipeline does.
        """
        if sent := self.send(commands):
            try:
                return await sent
            except LOST:
                pass
        async with self._redis.pipeline(transaction=False) as line:
            for command in commands:
                line.execute_command(*command)
            return await line.execute(raise_on_error=False)

    def send(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]] | None:
        """Send *commands* at the end of this turn; None if they have to go another way.

        The future raises what `LOST` names if the connection is lost before all have answers.
        """
        if self._wire is None or self._wire.ended:
            if self._suits and (self._opening is None or self._opening.done()):
                self._opening = asyncio.create_task(self._open())
            return None
        return self._wire.send(commands)

    async def aclose(self) -> None:
        """End the connection."""
        self._suits = False
        if self._opening:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._wire:
            self._wire.end()

    async def _open(self) -> None:
        pool: Any = self._redis.connection_pool
        connection = pool.make_connection()
        try:
            await connection.connect_check_health(retry_socket_connect=False)
        except (RedisError, OSError) as error:
            _log.debug("pipe.closed", reason=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            self._wire = _Wire(connection)


class _Sent:
    """Commands that were sent: how many answers are still to come, and since when."""

    __slots__ = ("answers", "at", "future", "left")

    def __init__(self, future: asyncio.Future[list[Any]], left: int, at: float) -> None:
        self.future, self.left, self.at = future, left, at
        self.answers: list[Any] = []


class _Wire(asyncio.Protocol):
    """The line itself, taken over from *connection* once that has said who we are."""

    def __init__(self, connection: Any) -> None:
        self._writer, connection._writer = connection._writer, None
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(
            protocolError=exceptions.InvalidResponse,
            replyError=BaseParser.parse_error,
            notEnoughData=_NOTHING,
        )
        self._sent: deque[_Sent] = deque()
        self._out: list[bytes] = []
        self._looking: asyncio.TimerHandle | None = None
        self.ended = False
        self._transport: asyncio.Transport = self._writer.transport
        self._transport.set_protocol(self)

    def send(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += [_packed(tuple(command)) for command in commands]
        self._sent.append(_Sent(future, len(commands), self._loop.time()))
        if self._looking is None:
            self._looking = self._loop.call_later(SOCKET_TIMEOUT_SECONDS, self._look)
        return future

    def _flush(self) -> None:
        out, self._out = b"".join(self._out), []
        if not self.ended:
            self._transport.write(out)

    def data_received(self, data: bytes) -> None:
        """Hand out what answers are complete."""
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not _NOTHING:
                self._take(answer)
        except (RedisError, IndexError) as error:
            _log.error("pipe.failed", reason=type(error).__name__)
            self.end()

    def _take(self, answer: Any) -> None:
        first = self._sent[0]
        first.answers.append(answer)
        first.left -= 1
        if not first.left:
            self._sent.popleft()
            if not first.future.done():
                first.future.set_result(first.answers)

    def _look(self) -> None:
        """Give the connection up if the engine has been silent for too long."""
        self._looking = None
        if not self._sent:
            return
        left = self._sent[0].at + SOCKET_TIMEOUT_SECONDS - self._loop.time()
        if left > 0:
            self._looking = self._loop.call_later(left, self._look)
        else:
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say it to all who wait."""
        del exc
        self.end()

    def end(self) -> None:
        """Close the line; who waits has to ask again."""
        self.ended = True
        self._transport.abort()
        if self._looking:
            self._looking.cancel()
        while self._sent:
            future = self._sent.popleft().future
            if not future.done():
                future.set_exception(exceptions.ConnectionError("the connection was lost"))
