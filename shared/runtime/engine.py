"""The embedded engine: a real server on one data folder, which ends when its parent ends.

    with Engine(Path("data")) as engine:
        connect(engine.url)

It keeps what it acknowledged (`appendfsync always`) and never evicts. Nothing else may use the
folder meanwhile: a lock is held by this process and by the server, so that a server which outlived
its parent still counts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.runtime.data_folder import DataFolder
from shared.runtime.engine_binary import EngineError, find_binary

LOG = "engine.log"
SETTINGS = (
    *("--bind", "127.0.0.1"),
    *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
    *("--maxmemory-policy", "noeviction"),
    *("--daemonize", "no"),
)
START_SECONDS = STOP_SECONDS = 20.0
_PORT_TRIES = 5
_PR_SET_PDEATHSIG = 1


class StartError(EngineError):
    """The server ended or stayed silent while it started."""


class PortTakenError(StartError):
    """Something else listens on the port."""


class Engine:
    """A server on *data_dir*, which is made if need be; a free port is chosen if none is given.

    It can be started again after `stop` or `kill`, on the same port. *binary* is tried instead of
    what `find_binary` would find.
    """

    def __init__(
        self, data_dir: Path, port: int | None = None, *, binary: Path | None = None
    ) -> None:
        self._folder = DataFolder(data_dir)
        self._port = port
        self._binary = binary
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._folder.path / LOG

    @property
    def url(self) -> str:
        """Where it listens; only after the first start, and the same from then on."""
        if self._port is None:
            raise RuntimeError("the engine has no port before its first start")
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        """The process id of the server last started."""
        if self._server is None:
            raise RuntimeError("the engine has not been started")
        return self._server.pid

    @property
    def alive(self) -> bool:
        """Whether the server's process is there."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start the server and wait until it has loaded its data. Call it from the main thread.

        Raises:
            EngineUnavailable: no binary fits.
            DataFolderError: the folder is in use or can't be written.
            StartError: the server did not come up.
        """
        if self.alive:
            return
        if threading.current_thread() is not threading.main_thread():
            # The kernel ends the server with the thread that started it, not with the process.
            raise RuntimeError("start the engine from the main thread")
        binary = find_binary(self._binary)
        self._folder.take()
        try:
            self._start_on_a_port(binary)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server gently (it syncs its file on the way out) and release the folder."""
        if self._server is not None and self.alive:
            self._server.terminate()
            try:
                self._server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._folder.release()

    def kill(self) -> None:
        """End the server as a crash would. The folder stays ours."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def _start_on_a_port(self, binary: Path) -> None:
        if self._port is not None:
            self._start_on(self._port, binary)
            return
        for tries_left in reversed(range(_PORT_TRIES)):
            port = _free_port()
            try:
                self._start_on(port, binary)
            except PortTakenError:  # by somebody who was quicker
                if not tries_left:
                    raise
            else:
                self._port = port
                return

    def _start_on(self, port: int, binary: Path) -> None:
        with self.log.open("ab") as log:
            log_begins = log.tell()
            self._server = subprocess.Popen(
                [binary, "--port", str(port), *SETTINGS],
                cwd=self._folder.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._folder.lock],
                start_new_session=True,  # Ctrl-C is for us; the server ends when we are done
                preexec_fn=_end_with_parent(),  # noqa: PLW1509  # it makes two system calls
            )
        self._folder.name_holders(self._server.pid)
        self._wait_until_ready(self._server, port, log_begins)

    def _wait_until_ready(
        self, server: subprocess.Popen[bytes], port: int, log_begins: int
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        while server.poll() is None:
            answer = _ask(port, server.pid)
            if answer == "ready":
                return
            if answer == "loading":  # takes as long as there is data
                deadline = time.monotonic() + START_SECONDS
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(
                    f"the engine did not answer on port {port} within {START_SECONDS:.0f} s; "
                    f"its log is {self.log}"
                )
            time.sleep(0.01)
        raise _why_it_ended(self.log, log_begins, port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_with_parent() -> Callable[[], None] | None:
    """Return what the child does before it becomes the server: ask for SIGTERM when we die.

    Other systems have no such call; there, the next start ends a server that was left behind.
    """
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def ask() -> None:
        # If we died before the call, nobody would send the signal any more.
        if prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) or os.getppid() != parent:
            os._exit(1)

    return ask


def _ask(port: int, pid: int) -> str:
    """Return "ready", "loading", or "silent" if the server *pid* doesn't answer on *port*."""
    client = redis.Redis(port=port, protocol=2, socket_timeout=1.0, retry=Retry(NoBackoff(), 0))
    with contextlib.closing(client):
        try:
            if client.info("server")["process_id"] != pid:
                return "silent"
            client.ping()
        except redis.BusyLoadingError:
            return "loading"
        except redis.RedisError:
            return "silent"
        return "ready"


def _why_it_ended(log: Path, begins: int, port: int) -> StartError:
    with log.open("rb") as file:
        file.seek(begins)
        lines = file.read().decode(errors="replace").split("\n")
    if any("Address already in use" in line for line in lines):
        return PortTakenError(f"port {port} is taken; choose another for the engine")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return StartError(f"the engine ended while it started: {last}; its log is {log}")
