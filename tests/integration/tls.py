"""Certificates, and an engine behind TLS: a proxy before a real one, or one that speaks it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import redis
import trustme

from tests.stack import free_ports
from tests.waiting import until_sync

#: An engine that was built with TLS, where there is one; ours was not.
TLS_ENGINE = shutil.which("redis-server")


@dataclass
class Papers:
    """Files in *folder* of an authority of our own, and of one that nobody trusts."""

    folder: Path

    def __post_init__(self) -> None:
        for authority in ("ours", "other"):
            made = trustme.CA()
            made.cert_pem.write_to_path(self.path(authority, "ca"))
            for name, host in (("engine", "localhost"), ("elsewhere", "elsewhere.example")):
                self._issue(made, authority, name, host)
            self._issue(made, authority, "client", "writethru.example")

    def _issue(self, authority: trustme.CA, of: str, name: str, host: str) -> None:
        made = authority.issue_cert(host)
        made.private_key_pem.write_to_path(self.path(of, f"{name}-key"))
        made.cert_chain_pems[0].write_to_path(self.path(of, name))

    def path(self, authority: str, name: str) -> str:
        return str(self.folder / f"{authority}-{name}.pem")

    def settings(self, ca: str = "ours", client: str = "ours") -> dict[str, str]:
        """Return the settings of a service that trusts *ca*, certified by *client*; "" is none."""
        files = {
            "CA": ca and self.path(ca, "ca"),
            "CERT": client and self.path(client, "client"),
            "KEY": client and self.path(client, "client-key"),
        }
        return {f"WRITETHRU_REDIS_{name}_FILE": path for name, path in files.items() if path}

    def context(self, name: str) -> ssl.SSLContext:
        """Return what a server needs that is certified as *name* and asks for certificates."""
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cafile=self.path("ours", "ca")
        )
        context.load_cert_chain(self.path("ours", name), self.path("ours", f"{name}-key"))
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@contextmanager
def proxy(papers: Papers, url: str, name: str = "engine") -> Iterator[int]:
    """Speak TLS on a port before the engine at *url*, in a thread of its own; yield the port."""
    [port] = free_ports(1)
    engine_port = port_of(url)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    serving = asyncio.run_coroutine_threadsafe(
        asyncio.start_server(
            lambda reader, writer: _pass(reader, writer, engine_port),
            "127.0.0.1",
            port,
            ssl=papers.context(name),
        ),
        loop,
    )
    try:
        serving.result(10)
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(_end(serving.result()), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(20):  # each connection's end takes some turns
        await asyncio.sleep(0)


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine_port: int
) -> None:
    to_engine: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    try:
        to_engine = await asyncio.open_connection("127.0.0.1", engine_port)
        await asyncio.gather(_copy(reader, to_engine[1]), _copy(to_engine[0], writer))
    except OSError:
        pass
    finally:
        for each in (writer, *(to_engine[1:] if to_engine else ())):
            each.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()  # ends the other direction too


@contextmanager
def tls_engine(papers: Papers) -> Iterator[int]:
    """Run an engine that speaks nothing but TLS, and asks for certificates; yield its port."""
    assert TLS_ENGINE
    [port] = free_ports(1)
    files = {
        "cert": papers.path("ours", "engine"),
        "key": papers.path("ours", "engine-key"),
        "ca-cert": papers.path("ours", "ca"),
    }
    options = [word for name, path in files.items() for word in (f"--tls-{name}-file", path)]
    durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
    server = subprocess.Popen(
        [TLS_ENGINE, "--port", "0", "--tls-port", str(port), *options, *durable],
        cwd=papers.folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        until_sync(lambda: server.poll() is not None or _answers(papers, port))
        assert server.poll() is None, "the engine does not start; was it built with TLS?"
        yield port
    finally:
        server.terminate()
        server.wait()


def client(papers: Papers, port: int) -> redis.Redis:
    return redis.Redis(
        host="localhost",
        port=port,
        protocol=2,
        ssl=True,
        ssl_ca_certs=papers.path("ours", "ca"),
        ssl_certfile=papers.path("ours", "client"),
        ssl_keyfile=papers.path("ours", "client-key"),
        decode_responses=True,
    )


def _answers(papers: Papers, port: int) -> bool:
    with suppress(redis.ConnectionError):
        return bool(client(papers, port).ping())
    return False
