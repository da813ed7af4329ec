"""Servers that tell many readers the same: ours, the floor in C, nchan, and ASGI by hand.

Each is run in a folder, serves streams at a path of a port, and is told what to pass on.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import open_newsroom
from tests.integration.newsstand import free_port
from tests.waiting import until

LANES = 12
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
#: As long as updates are, so that a change of ours has the size of those of the article measured.
TEXT = "The tide has turned at the harbour mouth, and the first of the ferries is under way. " * 4


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs. *publish* returns the version that readers have once they are told."""

    process: subprocess.Popen[bytes]
    port: int
    path: str
    publish: Callable[[], Awaitable[int]]
    by_version: bool = False

    @property
    def pids(self) -> Sequence[int]:
        """Its processes."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]


Opening = Callable[[Path], AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def ours(folder: Path) -> AsyncIterator[Server]:
    """Deliver, behind an engine; what is published is filed and rendered by us."""
    port = free_port()
    with Engine(folder) as engine:
        environ = os.environ | {
            "WRITETHRU_REDIS_URL": engine.url,
            "WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{port}",
            "WRITETHRU_LOG_LEVEL": "error",
        }
        async with connect(engine.url) as redis:
            newsroom = await open_newsroom(redis, LANES)
            store = Store(redis, newsroom.lanes)
            await newsroom.file(published())
            await store.render(SLUG)
            version = 1

            async def publish() -> int:
                nonlocal version
                version += 1
                await newsroom.file(posted(f"u{version}", TEXT))
                await store.render(SLUG)
                return version

            path = f"/articles/{SLUG}/live"
            with running([sys.executable, "-m", "services.deliver"], environ) as process:
                await listens(port)
                yield Server(process, port, path, publish, by_version=True)


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[Server]:
    """Send a buffer to each socket, in C."""
    port, program = free_port(), compiled("floor", folder)
    with running([str(program), str(port)]) as process:
        async with _posting(process, port, "/", "/live") as server:
            yield server


@asynccontextmanager
async def raw_asgi(folder: Path) -> AsyncIterator[Server]:
    """A generator and a queue a reader, on uvicorn."""
    del folder
    port = free_port()
    words = ("--port", str(port), "--lifespan", "off", "--log-level", "error", "--no-access-log")
    command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.raw_asgi:app", *words]
    command += ["--timeout-keep-alive", "600"]
    with running(command) as process:
        async with _posting(process, port, "/", "/live") as server:
            yield server


@asynccontextmanager
async def nchan(folder: Path) -> AsyncIterator[Server]:
    """Nginx with Debian's nchan, one worker."""
    port = free_port()
    (folder / "nginx.conf").write_text(f"""
        load_module {NCHAN}; daemon off; worker_processes 1; worker_rlimit_nofile 16000;
        {"user root root;" if not os.getuid() else ""} pid {folder}/pid; error_log stderr crit;
        events {{ worker_connections 16000; }}
        http {{
            access_log off; keepalive_timeout 600s; keepalive_requests 1000000;
            client_body_temp_path {folder}/body; client_body_buffer_size 64k;
            server {{
                listen 127.0.0.1:{port} backlog=4096;
                location = /pub {{
                    nchan_publisher; nchan_channel_id one; nchan_message_buffer_length 20;
                }}
                location = /live {{
                    nchan_subscriber eventsource; nchan_channel_id one;
                    nchan_subscriber_first_message newest;
                }}
            }}
        }}
    """)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with running(command) as process:
        async with _posting(process, port, "/pub", "/live") as server:
            yield server


SERVERS: dict[str, Opening] = {
    "writethru": ours,
    "send loop in C": floor,
    "nchan": nchan,
    "ASGI by hand, uvicorn": raw_asgi,
}


def missing() -> dict[str, str]:
    """Return why some can't be run here."""
    found = {}
    if not shutil.which("nginx") or not NCHAN.exists():
        found["nchan"] = "Debian's libnginx-mod-nchan is not installed"
    if not shutil.which("gcc"):
        found["send loop in C"] = "there is no gcc"
    return found


def compiled(name: str, folder: Path) -> Path:
    """Return the program that `name.c` becomes."""
    source, program = Path(__file__).parent / f"{name}.c", folder / name
    subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
    return program


@asynccontextmanager
async def _posting(
    process: subprocess.Popen[bytes], port: int, to: str, path: str
) -> AsyncIterator[Server]:
    await listens(port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = (
        b'{"article":"harbour-bridge","text":"' + TEXT.encode().ljust(MESSAGE_BYTES, b".") + b'"}'
    )
    head = f"POST {to} HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n"
    number = 0

    async def publish() -> int:
        nonlocal number
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = answer.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if b"chunked" in answer:
            while int(line := await reader.readline(), 16):
                await reader.readexactly(int(line, 16) + 2)
            await reader.readline()
        else:
            await reader.readexactly(int(size or 0))
        number += 1
        return number

    try:
        yield Server(process, port, path, publish)
    finally:
        writer.close()


#: About the size of a change of ours, so that all send as many bytes.
MESSAGE_BYTES = 1_400


class running:  # noqa: N801 -- used as a function
    def __init__(self, command: Sequence[str], environ: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(list(command), env=environ)

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def listens(port: int) -> None:
    async def does() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    await until(does, 60.0)
