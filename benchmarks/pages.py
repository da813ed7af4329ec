"""How many readers of one page deliver answers, beside nginx with the same bytes as a file.

Takes turns: a round has each server and each kind of request once, by wrk, on the same cores.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from benchmarks.processes import used
from services.render.store import Store
from shared.runtime.engine import Engine
from shared.runtime.redis import connect
from tests.builders import SLUG, posted, published
from tests.integration.newsroom import Newsroom, open_newsroom
from tests.integration.newsstand import free_port
from tests.waiting import until, until_sync

LANES = 12
ROUNDS, SECONDS, CONNECTIONS = 5, 2, 32
NEEDS = ("nginx", "wrk")
#: The page is of the size of the reference page: so many words of copy, and of updates.
BODY_WORDS, UPDATES, UPDATE_WORDS = 564, 7, 95
PATH = f"/articles/{SLUG}.html"
#: As a browser asks.
BROWSER = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br",
    "accept-language": "en-US,en;q=0.5",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}
_TEXT = Path(__file__).parent.parent / "docs" / "operations.md"


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked of one server."""

    name: str
    port: int
    pid: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figure:
    """Answers a second, and microseconds of the server's processor for one."""

    rate: float
    cpu_us: float


async def measure(folder: Path, tell: Callable[[str], None]) -> Mapping[str, Figure]:
    """Return a figure for each case."""
    if missing := [name for name in NEEDS if not shutil.which(name)]:
        raise SystemExit(f"benchmarks: this needs {' and '.join(missing)} from Debian")
    with Engine(folder) as engine, serving(engine.url) as (port, pid):
        async with connect(engine.url) as redis:
            newsroom = await open_newsroom(redis, LANES)
            await publish(newsroom, Store(redis, newsroom.lanes), port)
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            page = await fetched(http, PATH, **BROWSER)
        tell(f"the page has {len(page.content):,} bytes, {len(page.sent):,} on the wire")
        with _nginx(folder, page) as (beside, worker):
            return _rounds(_cases(page, (port, pid), (beside, worker)), tell)


def _cases(page: Page, deliver: tuple[int, int], nginx: tuple[int, int]) -> Sequence[Case]:
    known = BROWSER | {"if-none-match": page.headers["etag"]}
    with httpx2.Client(base_url=f"http://127.0.0.1:{nginx[0]}") as http:
        known_there = BROWSER | {"if-none-match": http.get(PATH, headers=BROWSER).headers["etag"]}
    return [
        Case("nginx, the page as a file", *nginx, BROWSER),
        Case("deliver, from memory", *deliver, BROWSER),
        Case("nginx, 304", *nginx, known_there),
        Case("deliver, 304 from memory", *deliver, known),
        # A range of more than one part is not served, and asks for the long way.
        Case("deliver, the long way", *deliver, BROWSER | {"range": "bytes=0-0,2-2"}),
    ]


def _rounds(cases: Sequence[Case], tell: Callable[[str], None]) -> Mapping[str, Figure]:
    found: dict[str, list[Figure]] = {case.name: [] for case in cases}
    for number in range(1, ROUNDS + 1):
        for case in cases:
            found[case.name].append(_run(case))
        tell(
            f"round {number} of {ROUNDS}: "
            + ", ".join(f"{f[-1].rate:,.0f}" for f in found.values())
        )
    return {
        name: Figure(
            statistics.median(each.rate for each in figures),
            statistics.median(each.cpu_us for each in figures),
        )
        for name, figures in found.items()
    }


def _run(case: Case) -> Figure:
    headers = [f"-H{name}: {value}" for name, value in case.headers.items()]
    address = f"http://127.0.0.1:{case.port}{PATH}"
    before = used([case.pid])
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *headers, address],
        capture_output=True,
        text=True,
        check=True,
    )
    spent = used([case.pid]) - before
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise SystemExit(f"benchmarks: {case.name}: {done.stdout}")
    found = re.search(r"(\d+) requests in.*Requests/sec:\s+([\d.]+)", done.stdout, re.DOTALL)
    if not found:
        raise SystemExit(f"benchmarks: {case.name}: wrk gave no figures: {done.stdout}")
    return Figure(float(found[2]), spent / int(found[1]) * 1e6)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its bytes, and those that were *sent*."""

    content: bytes
    sent: bytes
    headers: httpx2.Headers
    status: int

    @property
    def wire(self) -> int:
        """Bytes on the line, the head included."""
        head = sum(len(name) + len(value) + 4 for name, value in self.headers.raw)
        return len(b"HTTP/1.1 200 OK\r\n") + head + 2 + len(self.sent)


async def fetched(http: httpx2.AsyncClient, path: str, **headers: str) -> Page:
    """Get *path*, and keep what was on the wire."""
    async with http.stream("GET", path, headers=headers) as answer:
        sent = b"".join([chunk async for chunk in answer.aiter_raw()])
    decoded = httpx2.Response(answer.status_code, headers=answer.headers, content=sent).content
    return Page(decoded, sent, answer.headers, answer.status_code)


def words(count: int, start: int = 0) -> str:
    """Return so many words that somebody wrote."""
    found = re.findall(r"[A-Za-z',.]+", _TEXT.read_text("utf-8"))
    return " ".join(found[start : start + count])


async def publish(newsroom: Newsroom, store: Store, port: int) -> int:
    """Publish an article of the reference page's size, with deliver there; return its version."""
    paragraphs = range(0, BODY_WORDS, BODY_WORDS // 12)
    body = "\n\n".join(words(BODY_WORDS // 12, at) for at in paragraphs)
    starts = range(BODY_WORDS, BODY_WORDS + UPDATES * UPDATE_WORDS, UPDATE_WORDS)
    updates = [posted(f"u{at}", words(UPDATE_WORDS, at)) for at in starts]
    await until(lambda: answers(port), 60.0)
    await newsroom.file(published(body=body), *updates)
    await store.render(SLUG)
    return 1 + len(updates)


@contextmanager
def serving(url: str) -> Iterator[tuple[int, int]]:
    """Run deliver; yield its port and its process."""
    port = free_port()
    environ = os.environ | {
        "WRITETHRU_REDIS_URL": url,
        "WRITETHRU_DELIVER_LISTEN": f"127.0.0.1:{port}",
        "WRITETHRU_LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "services.deliver"], env=environ)
    try:
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def _nginx(folder: Path, page: Page) -> Iterator[tuple[int, int]]:
    """Serve the bytes that deliver sent as a file; yield nginx's port and its worker's process."""
    port = free_port()
    file = folder / "site" / PATH[1:]
    file.parent.mkdir(parents=True)
    file.write_bytes(page.sent)
    user = "user root root;" if not os.getuid() else ""
    places = " ".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
        {user} daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
        events {{}}
        http {{
            access_log off; {places} sendfile on; tcp_nopush on; keepalive_requests 100000000;
            open_file_cache max=10; types {{ text/html html; }}
            server {{
                listen 127.0.0.1:{port}; root {folder}/site; add_header Content-Encoding br;
                add_header Cache-Control "public, max-age=0, must-revalidate";
            }}
        }}
    """)
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    process = subprocess.Popen(command)
    try:
        until_sync(lambda: bool(_children(process.pid)), 30.0)
        yield port, _children(process.pid)[0]
    finally:
        process.terminate()
        process.wait()


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


async def answers(port: int) -> bool:
    """Whether deliver is ready."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        with suppress(httpx2.TransportError):
            return (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
    return False


def table(figures: Mapping[str, Figure]) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield "| one page, one process | answers a second | × nginx | µs of its processor | nginx's |"
    yield "|---|---:|---:|---:|---:|"
    for name, figure in figures.items():
        beside = figures["nginx, 304" if "304" in name else "nginx, the page as a file"]
        ratio = figure.rate / beside.rate
        share = beside.cpu_us / figure.cpu_us
        counts = f"{figure.rate:,.0f} | {ratio:.2f} | {figure.cpu_us:.1f} | {share:.2f} ×"
        yield f"| {name} | {counts} |"
