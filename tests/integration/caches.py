"""Shared caches between readers and deliver, from Debian, with the configurations of examples/."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.integration.newsstand import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"
Kind = Literal["varnish", "nginx"]


@contextmanager
def cache(kind: Kind, folder: Path, origin: int, port: int | None = None) -> Iterator[int]:
    """Run a cache before the deliver on port *origin*; yield its own port."""
    port = port or free_port()
    command = (_varnish if kind == "varnish" else _nginx)(folder, origin, port)
    with running(command, folder / f"{kind}.log"):
        yield port


@contextmanager
def running(command: Sequence[str], log: Path) -> Iterator[None]:
    """Have *command* run meanwhile."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _example(name: str, *changes: tuple[str, str]) -> str:
    text = (EXAMPLES / name).read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _varnish(folder: Path, origin: int, port: int) -> list[str]:
    rules = folder / "varnish.vcl"
    rules.write_text(_example("varnish.vcl", ('.port = "8080"', f'.port = "{origin}"')))
    store = ("-n", str(folder / "varnish"), "-s", "malloc,32m")
    threads = ("-p", "thread_pool_min=20", "-p", "thread_pools=1")
    listen = ("-a", f"127.0.0.1:{port}", "-f", str(rules), "-p", "http_gzip_support=off")
    return ["varnishd", "-F", "-j", "none", *listen, *store, *threads]


def _nginx(folder: Path, origin: int, port: int) -> list[str]:
    return nginx(folder, example_site(folder, origin, f"127.0.0.1:{port}"))


def example_site(folder: Path, origin: int, listen: str) -> str:
    """Return examples/nginx.conf before the deliver on port *origin*, listening on *listen*."""
    return _example(
        "nginx.conf",
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{origin};"),
        ("listen 80;", f"listen {listen};"),
        ("/var/cache/nginx/writethru", str(folder / "kept")),
    )


def nginx(folder: Path, site: str) -> list[str]:
    """Return the command that runs nginx with *site*, which is for its conf.d, in *folder*."""
    (folder / "site.conf").write_text(site)
    places = "\n".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # Its workers would be nobody's, and could not reach a test's folder.
    user = "user root root;" if not os.getuid() else ""
    whole = f"""
        {user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
        events {{}}
        http {{ access_log off; {places} include {folder}/site.conf; }}
    """
    (folder / "nginx.conf").write_text(whole)
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
