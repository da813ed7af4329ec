"""A server that does almost everything wrong, to see that a suite would notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import httpx2
import orjson

from tests.serving import serving

_HEAD = {"version": 2, "chain": "0" * 40}
_DOCUMENT = {"article": "a", **_HEAD, "body": [], "updates": []}
_EVENT = {
    "article": "b", "from": 1, "to": 3, "chain": "f" * 40, "reset": True, "head": _HEAD,
    "changes": [{"kind": "gone", "after": "nobody", "update": {"update_id": "u", "version": 9}}],
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    """Its messages come at once, whatever was answered, each under another id and unsigned."""

    hook = ""

    def do_GET(self) -> None:
        if "/live" in self.path:
            data = orjson.dumps(_EVENT).decode()
            self._send(200, f"nonsense\n\nevent: change\nid: x\ndata: {data}\n\n", "text/plain")
        else:
            self._send(200, orjson.dumps(_DOCUMENT).decode(), "application/json")

    def do_HEAD(self) -> None:
        self._send(500, "", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/v1/events":
            self._send(202, orjson.dumps({"receipts": []}).decode(), "application/json")
            return
        if self.path == "/v1/subscriptions":
            type(self).hook = orjson.loads(body)["url"]
        if self.path.endswith("/replay"):
            self._call()
        made = {"id": "1", "secret": "whsec_AAAA", "status": "unknown", "recent": []}
        self._send(201, orjson.dumps(made).decode(), "application/json")

    do_DELETE = do_POST  # noqa: N815

    def _call(self) -> None:
        for number in ("1", "2"):
            said = {"webhook-id": number, "webhook-timestamp": "1", "webhook-signature": "v1,"}
            httpx2.post(self.hook, headers=said, trust_env=False)

    def _send(self, status: int, body: str, kind: str) -> None:
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
