"""A line between browser and deliver that can be spoilt as networks spoil theirs."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal

import httpx2

Streams = Literal["pass", "refused", "held", "silent", "reset"]

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_RESET = b'event: reset\ndata: {"article":"a","to":1,"chain":"0"}\n\n'


class Line:
    """What becomes of *streams*; *asked* counts the requests, by the last word of their path."""

    def __init__(self, deliver: str) -> None:
        self.deliver = deliver
        self.streams: Streams = "pass"
        self.asked: dict[str, int] = {}
        self.open = 0
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def working(self) -> Iterator[Line]:
        """Pass requests on for as long as this lasts."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self.cut()
        self._server.shutdown()
        self._server.server_close()
        thread.join()

    def cut(self) -> None:
        """End all streams that are open now."""
        self.ended.set()
        self.ended = threading.Event()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        class Handler(_Handler):
            line = self

        return Handler


class _Handler(BaseHTTPRequestHandler):
    line: ClassVar[Line]

    def log_message(self, *_words: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        word = self.path.partition("?")[0].rpartition("/")[2]
        self.line.asked[word] = self.line.asked.get(word, 0) + 1
        with suppress(OSError, httpx2.HTTPError):
            if word == "live":
                self._stream()
            else:
                self._pass_on()

    def _pass_on(self) -> None:
        answer = httpx2.get(self.line.deliver + self.path, headers=self._headers(), trust_env=False)
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            if name not in _HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def _stream(self) -> None:
        self.close_connection = True
        self.line.open += 1
        try:
            match self.line.streams:
                case "refused":
                    self.send_error(503)
                case "reset":
                    self.wfile.write(_HEAD + _RESET)
                case "pass":
                    self._pass_stream_on()
                case "held":
                    self._wait()
                case "silent":
                    self.wfile.write(_HEAD + b"retry: 1000\n\n")
                    self._wait()
        finally:
            self.line.open -= 1

    def _wait(self) -> None:
        """Wait until the line is cut or the browser has hung up."""
        ended = self.line.ended
        while not ended.is_set() and not self._hung_up([]):
            pass

    def _pass_stream_on(self) -> None:
        """Pass on what deliver sends, as it comes."""
        ended = self.line.ended
        host, _, port = self.line.deliver.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as deliver:
            deliver.sendall(f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            while not ended.is_set() and not self._hung_up(came := [deliver]):
                if came and (data := deliver.recv(65536)):
                    self.connection.sendall(data)
                elif came:
                    return

    def _hung_up(self, others: list[socket.socket]) -> bool:
        """Look whether the browser has, and leave in *others* those that have something."""
        ready, _, _ = select.select([self.connection, *others], [], [], 0.05)
        others[:] = [each for each in others if each in ready]
        return self.connection in ready and not self.connection.recv(1)

    def _headers(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name.lower() != "host"}
