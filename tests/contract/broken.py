"""A server that does almost everything wrong, to see that a suite would notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import orjson

from tests.serving import serving

_HEAD = {"version": 2, "chain": "0" * 40}
_DOCUMENT = {"article": "a", **_HEAD, "body": [], "updates": []}
_EVENT = {
    "article": "b", "from": 1, "to": 3, "chain": "f" * 40, "reset": True, "head": _HEAD,
    "changes": [{"kind": "gone", "after": "nobody", "update": {"update_id": "u", "version": 9}}],
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if "/live" in self.path:
            data = orjson.dumps(_EVENT).decode()
            self._send(200, f"nonsense\n\nevent: change\nid: x\ndata: {data}\n\n", "text/plain")
        else:
            self._send(200, orjson.dumps(_DOCUMENT).decode(), "application/json")

    def do_HEAD(self) -> None:
        self._send(500, "", "text/plain")

    def do_POST(self) -> None:
        made = {"id": "1", "secret": "whsec_AAAA", "status": "unknown", "recent": []}
        self._send(201, orjson.dumps(made).decode(), "application/json")

    do_DELETE = do_POST  # noqa: N815

    def _send(self, status: int, body: str, kind: str) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())


@contextmanager
def broken() -> Iterator[str]:
    """Serve it; yield the address."""
    with serving(_Handler) as port:
        yield f"http://127.0.0.1:{port}"
