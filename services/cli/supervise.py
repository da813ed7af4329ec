"""Keeps a stack's processes running: starts them, starts again what dies, stops them in order.

No process outlives this one. The children are one process group, and in it stands a minder, a
shell that reads from a pipe which only we can write to: whatever ends us, the pipe ends, and the
minder ends the group, gently and two seconds later for good. (The engine sees to itself.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE, Popen

from services.cli.disk_guard import DiskGuard
from services.cli.failure import WRONG_SETTING, Failure
from shared.runtime.clock import monotonic
from shared.runtime.engine import Engine
from shared.runtime.engine_binary import EngineError

#: How long a child may take to finish what it has in hand; ingest gives itself fifteen.
STOP_SECONDS = 20.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
#: Who ran this long was well, so its next restart is quick again.
WELL_AFTER_SECONDS = 10.0
ENGINE_LOOK_SECONDS = 0.1

_STANDARD_ERROR = 2
_sleep = asyncio.sleep

_MINDER = """
trap '' HUP INT TERM
read -r _
kill -TERM 0
sleep 2
kill -KILL 0
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack: the service that *module* is, under the *name* we speak of.

    *inherits* are open files that it gets at each start.
    """

    name: str
    module: str
    environ: Mapping[str, str]
    inherits: Sequence[int] = ()


class Supervisor:
    """The children and the engine. Everything happens on one event loop in the main thread."""

    def __init__(self, say: Say, engine: Engine | None = None) -> None:
        self._say = say
        self._engine = engine
        self._minder: Popen[bytes] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.settled = False
        """Whether the stack came up; before, a child that ends is a failure, not an accident."""

    async def start(self, parts: list[Part]) -> None:
        """Start *parts*, in order, and keep them running."""
        self._minder = _minder()
        for part in parts:
            self._tasks[part.name] = asyncio.create_task(self._report(self._keep(part)))
        if self._engine is not None:
            self._tasks["engine"] = asyncio.create_task(
                self._report(self._keep_engine(self._engine))
            )

    async def during(self, work: Awaitable[None]) -> None:
        """Do *work* while the children run.

        Raises:
            Failure: one of them can't run.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._failure}, return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                self._failure.result()
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        """End all in the reverse of their order, the engine last; what lingers is killed."""
        await _cancelled(self._tasks.pop("engine", None))
        for name in reversed(list(self._tasks)):
            await _cancelled(self._tasks.pop(name))
            if child := self._children.get(name):
                await _ended(child)
        if self._minder is not None and self._minder.stdin is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._minder.pid, signal.SIGKILL)
            self._minder.stdin.close()
            self._minder.wait()
        if self._engine is not None:
            self._engine.stop()

    async def _report(self, keeping: Awaitable[None]) -> None:
        try:
            await keeping
        except Exception as error:  # noqa: BLE001 -- whoever waits in `during` gets it
            if not self._failure.done():
                self._failure.set_exception(error)

    async def _keep(self, part: Part) -> None:
        async for _ in _pauses():
            assert self._minder is not None  # noqa: S101  # start() made it
            child = self._children[part.name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", part.module),
                env=part.environ,
                pass_fds=part.inherits,
                stdin=DEVNULL,
                stdout=_STANDARD_ERROR,
                process_group=self._minder.pid,
            )
            status = await child.wait()
            if not self.settled:
                line = f"{part.name} {_how(status)} while it started; what it said stands above"
                raise Failure(line, WRONG_SETTING if status == WRONG_SETTING else 1)
            self._say(f"{part.name} {_how(status)}; starting it again")

    async def _keep_engine(self, engine: Engine) -> None:
        guard = DiskGuard(engine, self._say)
        while True:
            await asyncio.sleep(ENGINE_LOOK_SECONDS)
            if engine.alive:
                guard.look()
                continue
            self._say("the engine ended; starting it again on the same data")
            async for _ in _pauses():
                try:
                    engine.start()
                except EngineError as error:
                    self._say(f"the engine does not start: {error}")
                else:
                    break


def _minder() -> Popen[bytes]:
    """Start the minder, at the head of a process group of its own."""
    command = ["/bin/sh", "-c", _MINDER]
    return Popen(command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, process_group=0)


async def _pauses() -> AsyncIterator[None]:
    """Yield once per try, without end: later and later unless a try lasted well."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = monotonic()
        yield
        if monotonic() - began > WELL_AFTER_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await _sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _ended(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _how(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
