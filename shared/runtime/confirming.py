"""Runs a script and waits, on the same connection, until what it wrote is kept as asked.

The engine confirms what a connection has written, so script and wait share one, and one round trip.
A repeat after a lost connection, or an event sent twice, is a duplicate, which writes nothing: the
engine would confirm at once what no replica has. So each step ends with a write of its own, which
comes after whatever a duplicate was the first of; once that is kept, all before it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from shared.contract.errors import OutcomeUnknown
from shared.runtime.cluster import REFUSED
from shared.runtime.durability import Wait
from shared.runtime.redis import at_owner
from shared.runtime.scripts import Call, Script

UNCONFIRMED = (
    "The event is stored, but {level} was not confirmed in time; send it again with the same id."
)

_log = structlog.get_logger()


async def run_confirmed(
    redis: Redis, script: Script, calls: Sequence[Call], mark: str, wait: Wait
) -> list[Any]:
    """Run *script* for *calls* as `Script.run_all` does, and return when *wait* is met.

    *mark* is a key of their lane that may be written to.

    Raises:
        OutcomeUnknown: it was not met in time; what the script wrote is stored.
    """

    async def step(*, known: bool) -> tuple[list[Any], Any]:
        return await at_owner(
            redis, mark, lambda node: _step(node, script.commands(calls, known=known), mark, wait)
        )

    replies, confirmed = await step(known=True)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        replies, confirmed = await step(known=False)
    if not wait.is_met(confirmed):
        _log.warning("durability.unreached", level=wait.level, reply=str(confirmed))
        raise OutcomeUnknown(UNCONFIRMED.format(level=wait.level))
    if len(replies) == 1 and isinstance(replies[0], Exception):
        raise replies[0]
    return replies


async def _step(
    node: Redis, commands: Sequence[Sequence[Any]], mark: str, wait: Wait
) -> tuple[list[Any], Any]:
    """Return the replies to *commands*, and to the wait that follows their transaction.

    The transaction is spelt out, as redis-py's own lets nothing come after it on its connection.
    """
    async with node.pipeline(transaction=False) as line:
        for command in (("MULTI",), *commands, ("SET", mark, ""), ("EXEC",), *wait.commands):
            line.execute_command(*command)
        replies = await line.execute(raise_on_error=False)
    *queued, done = replies[: -len(wait.commands)]
    faults = [reply for reply in (*queued, done) if isinstance(reply, Exception)]
    redirections = [fault for fault in faults if isinstance(fault, REFUSED)]
    if faults:
        raise (redirections or faults)[0]
    return done[:-1], replies[-1]
