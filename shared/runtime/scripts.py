"""Lua scripts: run by their hash, loaded again when the engine forgot them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from shared.runtime.pipe import Pipe
from shared.runtime.redis import LOST

Argument = str | bytes | int
#: The keys and the arguments of one run.
Call = tuple[Sequence[str], Sequence[Argument]]


class Script:
    """One script of *package*, made of one file or several; `run` is one atomic step.

    `run_all` goes by *pipe*, if there is one.
    """

    def __init__(self, package: str, *names: str, pipe: Pipe | None = None) -> None:
        self._pipe = pipe
        self.text = "".join(files(package).joinpath(name).read_text("utf-8") for name in names)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run the script; a repeat after a lost connection must be harmless to it."""
        try:
            return await redis.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await redis.eval(self.text, len(keys), *keys, *args)

    async def run_all(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        """Run the script once for each of *calls*, in order and in one step.

        All *calls* must be of one lane. Nothing comes between them: an engine that forgets the
        script or fills up does so before the first or after the last, so what is later never
        overtakes what is earlier. An error reply stands in its place; an only one is raised.
        """
        replies = await self._run_piped(calls)
        if replies is not None:
            return replies
        if len(calls) == 1:
            return [await self.run(redis, *calls[0])]
        replies = await self._step(redis, calls, known=True)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            replies = await self._step(redis, calls, known=False)
        return replies

    async def _run_piped(self, calls: Sequence[Call]) -> list[Any] | None:
        """Do the same by the pipe; None if there is none, or what came of it is open."""
        for known in (True, False):
            commands = self.commands(calls, known=known)
            step = commands if len(calls) == 1 else [("MULTI",), *commands, ("EXEC",)]
            sent = self._pipe.send(step) if self._pipe else None
            if sent is None:
                return None
            try:
                replies = _replies(await sent)
            except LOST:
                return None
            except NoScriptError:
                continue
            if not any(isinstance(reply, NoScriptError) for reply in replies):
                return replies
        return None

    def commands(self, calls: Sequence[Call], *, known: bool) -> list[tuple[Argument, ...]]:
        """Return the commands that run it; unless it is *known*, the first brings its text."""
        by_name: tuple[Argument, ...] = ("EVALSHA", self.sha)
        first = by_name if known else ("EVAL", self.text)
        return [
            (*(by_name if place else first), len(keys), *keys, *args)
            for place, (keys, args) in enumerate(calls)
        ]

    async def _step(self, redis: Redis, calls: Sequence[Call], *, known: bool) -> list[Any]:
        async with redis.pipeline(transaction=True) as step:
            for command in self.commands(calls, known=known):
                step.execute_command(*command)
            return await step.execute(raise_on_error=False)


def _replies(found: list[Any]) -> list[Any]:
    """Return the replies to what was run; raise the error that kept all of it from being run."""
    for reply in found:
        if isinstance(reply, Exception):
            raise reply
    return found if len(found) == 1 else list(found[-1])
