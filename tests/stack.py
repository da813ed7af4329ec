"""A stack as a person starts it, with `writethru up`: real processes on free ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx2
import orjson

from tests.waiting import until_sync

START_SECONDS = 60.0
STOP_SECONDS = 30.0
ENGINE = "-server"
_MARK = "TEST_STACK"


#: Below the ports that the kernel gives to connections going out, so that none comes between.
_PORTS = range(10_000, 32_000)
#: Test processes that run side by side begin far from each other.
_candidates = islice(cycle(_PORTS), os.getpid() * 613 % len(_PORTS), None)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody has, each another one."""
    return [free_range(1) for _ in range(count)]


def free_range(many: int) -> int:
    """Return the first of *many* ports in a row that nobody has."""
    for _ in _PORTS:
        row = list(islice(_candidates, many))
        with ExitStack() as taken:
            try:
                for port in row:
                    taken.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            if row[-1] - row[0] == many - 1:
                return row[0]
    raise AssertionError("ports end")


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Start what we start as the wrapper does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


#: All that tests have started, until its log was looked through.
STARTED: list[Command] = []


class Command:
    """`writethru` with *words*, running; all that it starts can be found by its mark."""

    def __init__(self, folder: Path, *words: str, **environ: str) -> None:
        self.folder = folder
        self.words = words
        self._mark = uuid.uuid4().hex
        self._said = folder / f"{words[0]}.{self._mark}.log"
        with self._said.open("wb") as log, _ctrl_c_held_back():
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", *words],
                cwd=folder,
                env=os.environ | environ | {_MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C for it must not reach the tests
            )
        STARTED.append(self)

    def said(self) -> str:
        """Return what it has printed so far, on both streams."""
        return self._said.read_text(errors="replace")

    def saying(self, text: str, limit: float = START_SECONDS) -> str:
        """Wait until it has said *text*, and return all it said."""
        until_sync(lambda: text in self.said() or self.process.poll() is not None, limit)
        assert text in self.said(), self.said()
        return self.said()

    def processes(self, what: str = "") -> dict[int, str]:
        """Return the command lines with *what* in them, of it and all that it has started."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):  # it may end while we look
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if what in line and self._is_ours(entry, line):
                        found[int(entry.name)] = line
        return found

    def _is_ours(self, entry: Path, line: str) -> bool:
        """An engine writes its title over its environment, so it is known by where it works."""
        if ENGINE in line:
            return (entry / "cwd").readlink().is_relative_to(self.folder)
        return f"{_MARK}={self._mark}".encode() in (entry / "environ").read_bytes()

    def pid_of(self, what: str) -> int:
        """Return the one process with *what* in its command line."""
        (pid,) = self.processes(what)
        return pid

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send the signal, wait until all have ended, and return the exit status."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        status = self.process.wait(STOP_SECONDS)
        until_sync(lambda: not self.processes(), STOP_SECONDS)
        return status

    def clear(self) -> None:
        """Leave nothing behind after a test that failed."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Stack(Command):
    """`writethru up` with its data in *folder*/data."""

    def __init__(self, folder: Path, *words: str, **environ: str) -> None:
        self.ingest_port, self.deliver_port = free_ports(2)
        self.ingest = f"http://127.0.0.1:{self.ingest_port}"
        self.deliver = f"http://127.0.0.1:{self.deliver_port}"
        ports = ("--ingest-port", str(self.ingest_port), "--deliver-port", str(self.deliver_port))
        super().__init__(folder, "up", *ports, *words, **environ)
        self.data = folder / "data"

    def ready(self) -> Stack:
        """Wait until it says that it is ready."""
        self.saying("ready; Ctrl-C")
        return self

    @property
    def redis_url(self) -> str:
        """Where its embedded engine listens."""
        return (self.data / "engine.url").read_text().strip()

    def file(self, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """File *events* and return their receipts."""
        answer = httpx2.post(
            f"{self.ingest}/v1/events",
            content=b"\n".join(map(orjson.dumps, events)),
            headers={"content-type": "application/x-ndjson"},
            trust_env=False,
        )
        assert answer.status_code in (202, 207), answer.text
        receipts: list[dict[str, Any]] = answer.json()["receipts"]
        return receipts

    def command(self, *words: str) -> list[str]:
        """Run `writethru` with *words* on its engine, and return the lines it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *words, "--redis-url", self.redis_url],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def page(self, slug: str, version: int) -> dict[str, Any]:
        """Wait until the article has *version*, and return it."""
        until_sync(lambda: self._version(slug) >= version, START_SECONDS)
        page: dict[str, Any] = self.get(f"/articles/{slug}.json").json()
        return page

    def get(self, path: str) -> httpx2.Response:
        """Ask deliver for *path*."""
        return httpx2.get(f"{self.deliver}{path}", trust_env=False)

    def _version(self, slug: str) -> int:
        with suppress(httpx2.TransportError):
            answer = self.get(f"/articles/{slug}.json")
            return int(answer.json()["version"]) if answer.status_code == httpx2.codes.OK else 0
        return 0


@contextmanager
def running(folder: Path, *words: str, **environ: str) -> Iterator[Stack]:
    """Start a stack that lets everybody publish, wait until it is ready, and end it after."""
    stack = Stack(folder, "--no-auth", *words, **environ)
    try:
        yield stack.ready()
        stack.end()
    finally:
        stack.clear()
