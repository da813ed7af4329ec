"""Live readers behind Debian's nginx: as examples/ has it, and as it comes; HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
import pytest
import trustme
from redis.asyncio import Redis

from services.deliver.streams import Limits
from shared.runtime.engine import Engine
from tests.builders import SLUG, killed, posted, published
from tests.integration.caches import example_site, nginx, running
from tests.integration.newsstand import Newsstand, free_port, open_newsstand
from tests.waiting import until

pytestmark = [pytest.mark.nginx, pytest.mark.curl]

LIVE = f"/articles/{SLUG}/live"
#: What somebody writes who knows nothing of us: HTTP/1.0 to deliver, answers gathered, all packed.
PLAIN = """
gzip on;
gzip_types text/plain application/json;
gzip_proxied any;
server {{
    listen {listen};
    location / {{
        proxy_pass http://127.0.0.1:{origin};
        proxy_read_timeout 2s;
    }}
}}
"""


@dataclass
class Curl:
    """A reader: curl, saying what it gets as it gets it."""

    process: asyncio.subprocess.Process
    comments: int = 0

    async def line(self) -> str:
        assert self.process.stdout
        async with asyncio.timeout(30):
            return (await self.process.stdout.readline()).decode()

    async def head(self) -> str:
        """Return status and headers."""
        found = ""
        while (line := await self.line()).strip():
            found += line.lower()
        return found

    async def event(self) -> tuple[str, int] | None:
        """Return the next event's kind, and the version that it leads to; None at the end."""
        kind = ""
        while line := await self.line():
            self.comments += line.startswith(":")
            kind = line.removeprefix("event: ").strip() if line.startswith("event: ") else kind
            if line.startswith("data: "):
                return kind, orjson.loads(line[6:]).get("to", 0)
        return None

    async def go(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@dataclass
class Behind:
    """A deliver with nginx before it, and its readers."""

    stand: Newsstand
    port: int
    readers: list[Curl]

    async def curl(self, path: str, *words: str) -> Curl:
        address = f"https://127.0.0.1:{self.port}{path}"
        said = ("--silent", "--no-buffer", "--insecure", "--include", *words, address)
        process = await asyncio.create_subprocess_exec(
            "curl", *said, stdout=asyncio.subprocess.PIPE, limit=1 << 20
        )
        self.readers.append(Curl(process))
        return self.readers[-1]

    async def readers_are(self, number: int) -> None:
        async def are_there() -> bool:
            return await self.stand.readers() == number

        await until(are_there)


@asynccontextmanager
async def behind(stand: Newsstand, folder: Path, site: str) -> AsyncIterator[Behind]:
    port = free_port()
    listen = f"127.0.0.1:{port} ssl http2"
    if site == "plain":
        text = PLAIN.format(listen=listen, origin=stand.port)
    else:
        text = example_site(folder, stand.port, listen)
    made = trustme.CA().issue_cert("127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(folder / "site.pem")
    papers = f"ssl_certificate {folder}/site.pem; ssl_certificate_key {folder}/site.pem;\n"
    with running(nginx(folder, papers + text), folder / "nginx.log"):
        await until(lambda: _answers(port))
        it = Behind(stand, port, [])
        try:
            yield it
        finally:
            for reader in it.readers:
                await reader.go()


async def _answers(port: int) -> bool:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with httpx2.AsyncClient(trust_env=False, verify=trusting) as http:
        try:
            return (await http.get(f"https://127.0.0.1:{port}/healthz")).status_code == 200
        except httpx2.TransportError:
            return False


@pytest.fixture(params=["example", "plain"])
async def site(
    request: pytest.FixtureRequest, redis: Redis, engine: Engine, tmp_path: Path
) -> AsyncIterator[Behind]:
    async with open_newsstand(redis, engine.url, Limits(heartbeat=0.25)) as stand:
        await stand.publish(published())
        async with behind(stand, tmp_path, request.param) as site:
            yield site


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_changes_come_through_one_by_one_and_a_kill_ends_the_stream(site, version):
    # given a reader that would take it packed, of an article and of all of them
    words = (f"--http{version}", "--compressed")
    readers = [await site.curl(path, *words) for path in (f"{LIVE}?since=1", "/live")]
    heads = [await reader.head() for reader in readers]
    for head in heads:
        assert head.startswith(f"http/{version} 200")
        assert "content-type: text/event-stream" in head
        assert "content-encoding" not in head
    await site.readers_are(2)

    # when an article changes, then each change is there before the next one is filed
    for number in (2, 3):
        await site.stand.publish(posted(f"u{number}"))
        assert [await reader.event() for reader in readers] == [("change", number)] * 2

    # and when it is killed, its stream ends, cleanly
    await site.stand.publish(killed("Legal advice."))
    assert await readers[0].event() == ("killed", 0)
    assert await readers[0].event() is None
    assert await readers[0].process.wait() == 0


async def test_heartbeats_keep_a_quiet_stream_open_beyond_the_proxys_patience(site):
    reader = await site.curl(f"{LIVE}?since=1", "--http2")
    # More than twice two seconds, which is what nginx waits for a word of deliver.
    while reader.comments < 18:
        line = await reader.line()
        assert line, "the stream has ended"
        reader.comments += line.startswith(":")

    await site.stand.publish(posted("u1"))

    assert await reader.event() == ("change", 2)


async def test_a_reader_who_goes_gives_its_place_back(site):
    readers = [await site.curl(path, "--http2") for path in (LIVE, "/live")]
    await site.readers_are(2)

    for reader in readers:
        await reader.go()

    await site.readers_are(0)


async def test_a_long_poll_is_answered_when_there_is_news(site):
    reader = await site.curl(f"/articles/{SLUG}/changes?since=1&wait=2", "--http2")
    await site.readers_are(1)

    await site.stand.publish(posted("u1"))

    assert (await reader.head()).startswith("http/2 200")
    assert orjson.loads(await reader.line())["to"] == 2


async def test_the_end_of_deliver_is_the_clean_end_of_streams(site):
    readers = [await site.curl(path, "--http2") for path in (LIVE, "/live")]
    await site.readers_are(2)

    await site.stand.stop()

    for reader in readers:
        await reader.head()
        assert await reader.event() is None
        assert await reader.process.wait() == 0
