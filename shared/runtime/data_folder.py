"""One data folder, one engine: the lock that says so.

The lock file is held by the process that starts the engine and, inherited, by the engine itself.
So an engine that outlived its parent still counts. The file names both, for the message to whoever
comes second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from shared.runtime.engine_binary import EngineError

LOCK = "engine.lock"
#: Says where its engine listens, for `verify` and its like.
ADDRESS = "engine.url"
ORPHAN_SECONDS = 20.0


class DataFolderError(EngineError):
    """Another engine has the data folder, or it can't be used."""


class DataFolder:
    """The folder *path*, made if need be, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def lock(self) -> int:
        """The lock's file descriptor, for the engine to inherit."""
        if self._lock is None:
            raise RuntimeError("the data folder has not been taken")
        return self._lock

    def take(self) -> None:
        """Lock the folder, unless it's ours already.

        Raises:
            DataFolderError: somebody else has it, or it can't be used.
        """
        if self._lock is not None:
            return
        lock = None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            refusal = None if _locked(lock) else _refusal(lock)
        except OSError as error:
            refusal = f"can't be used: {error.strerror}"
        if refusal is None:
            self._lock = lock
            return
        if lock is not None:
            os.close(lock)
        raise DataFolderError(f"the data folder {self.path} {refusal}")

    def name_holders(self, engine: int) -> None:
        """Write down who has it: we, and the process *engine*."""
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, f"{os.getpid()} {engine}\n".encode(), 0)

    def release(self) -> None:
        """Let it go. An engine that still runs keeps it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(lock: int) -> str | None:
    """Return why we can't have it, or None if it came free meanwhile."""
    holders = [int(number) for number in os.pread(lock, 64, 0).split()]
    if len(holders) != 2:
        return "is in use by another process; choose another folder"
    starter, engine = holders
    if not _exists(starter) and _outlived(lock, engine):
        return None
    return (
        f"is in use by process {starter} (its engine is {engine}); "
        "stop that first, or choose another folder"
    )


def _outlived(lock: int, engine: int) -> bool:
    """Wait for an engine whose parent is gone. On Linux it has its signal already."""
    if sys.platform != "linux":
        with contextlib.suppress(ProcessLookupError):
            os.kill(engine, signal.SIGTERM)
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline:
        if _locked(lock):
            return True
        time.sleep(0.02)
    return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
