"""A subscriber in a thread, for tests that have no loop: it keeps the body of every message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.serving import serving


@dataclass
class Hook:
    """Where it listens, and what it *got*."""

    url: str = ""
    got: list[bytes] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Hook]:
    """Listen on a free port while this lasts."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

    with serving(Handler) as port:
        hook.url = f"http://127.0.0.1:{port}/hook"
        yield hook
