"""An engine that knows the users of `writethru acl`, and one more who may look into it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from services.cli.acl import ACL_FILE, URL_FILE, command
from shared.runtime.engine_binary import find_binary
from tests.stack import free_ports
from tests.waiting import until_sync

ROOT = "user root on nopass ~* &* +@all\n"


@dataclass
class Guarded:
    """The engine, and the folder with the users' addresses."""

    folder: Path
    port: int
    server: subprocess.Popen[bytes]

    def url_file(self, user: str) -> Path:
        return self.folder / user / URL_FILE

    def url(self, user: str) -> str:
        return self.url_file(user).read_text().strip()

    def login(self, user: str) -> redis.Redis:
        return redis.Redis.from_url(self.url(user), protocol=2)

    @property
    def root(self) -> redis.Redis:
        return redis.Redis(
            port=self.port, username="root", password="any", protocol=2, decode_responses=True
        )

    def denied(self) -> list[str]:
        """Return what users were denied, but what a client says of itself in vain."""
        log: Any = self.root.acl_log()
        facts = [f"{entry['username']}: {entry['object']}" for entry in log]
        return [fact for fact in facts if ": client|" not in fact]


def write_users(folder: Path, port: int) -> None:
    """Write the users' files as the command does, with *root* among them."""
    command(folder, f"127.0.0.1:{port}")
    with (folder / ACL_FILE).open("a") as file:
        file.write(ROOT)


@contextmanager
def guarded_engine(folder: Path) -> Iterator[Guarded]:
    """Run an engine on the users in *folder*, which are made if there are none."""
    [port] = free_ports(1)
    write_users(folder, port)
    with serving(folder, port) as engine:
        yield engine


@contextmanager
def serving(folder: Path, port: int, binary: str = "") -> Iterator[Guarded]:
    """Run an engine on the ACL file in *folder*."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    settings = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    server = subprocess.Popen(
        [
            *(binary or find_binary(None), "--port", str(port), "--bind", "127.0.0.1"),
            *("--aclfile", str((folder / ACL_FILE).absolute()), *settings),
        ],
        cwd=data,
        stdout=subprocess.DEVNULL,
    )
    engine = Guarded(folder, port, server)
    try:
        until_sync(lambda: server.poll() is not None or _answers(engine))
        assert server.poll() is None, "the engine does not take the ACL file"
        yield engine
    finally:
        server.terminate()
        server.wait()


def _answers(engine: Guarded) -> bool:
    with suppress(redis.ConnectionError):
        return bool(engine.root.ping())
    return False
