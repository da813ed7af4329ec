"""Requests that make no sense, over real sockets: each is answered, and none is a fault of ours."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from shared.runtime.engine import Engine
from tests.builders import SLUG, killed, posted, published, retracted
from tests.integration.newsstand import Newsstand, open_newsstand

REQUESTS = 600
AT_ONCE = 20
METHODS = ("GET",) * 12 + ("HEAD", "HEAD", "POST", "OPTIONS", "PUT", "TRACE", "get", "ODD")
#: What may stand where a path or a query names something.
WORDS = (
    SLUG, "gone", "no-such", "u1", "u2", "0", "1", "2", "-1", "007", "1..2", "2..1", "1..", "0..0",
    "999999999999999999999", "1e3", "%D9%A3", "%00", "%2e%2e", "..", ".", "", "%", "%zz", "%ff%fe",
    "a" * 130, "a" * 700, "A", "-", "a--b", "%F0%9F%98%80", "a%0d%0ab", "a;b", "a:b", "{slug}", "*",
    "<script>", "%3Cscript%3E", "1.9f86d081884c", "1.000000000000", "1.", ".5", "2026-03-01",
    "2026-03-01T09:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59", "NaN",
    "json", "html", "true", "null", "[]", "%5B%5D", "=", "&", "a=b", "'", "%22", "\\", "~",
)  # fmt: skip
ENDINGS = (
    "", ".html", ".json", ".txt", ".md", ".atom", ".rss", ".feed.json", ".ninjs.json", ".xml",
    ".fragment.html", ".exe", ".", "..json", ".JSON", ".json/", "/", ".%00", ".html.html",
)  # fmt: skip
PATHS = (
    "/{0}{e}", "/articles/{0}{e}", "/articles/{0}/pages/{1}{e}", "/articles/{0}/updates/{1}",
    "/articles/{0}/changes", "/articles/{0}/corrections{e}", "/articles/{0}/versions{e}",
    "/articles/{0}/versions/{1}{e}", "/articles/{0}/versions/{1}..{2}{e}", "/articles/{0}/live",
    "/articles/{0}/{1}/{2}", "/live", "/latest{e}", "/sitemap-news.xml", "/static/{0}{e}",
    "/v1/{0}", "/v1/links", "/v1/subscriptions", "/v1/subscriptions/{0}/{1}", "/robots.txt",
    "/embed.js", "/healthz", "//{0}", "/articles//{0}", "/articles/{0}//live", "*", "",
)  # fmt: skip
QUERIES = (
    "", "since={0}", "page={0}", "at={0}", "form={0}", "wait={0}x", "since={0}&since={1}",
    "{0}={1}",
    "section={0}", "tag={0}", "expires={0}&by={1}&signature={2}", "since={0}&form=html", "&&==&",
    "since={0}&wait=0", "page={0}&page={1}", "q=" + "a" * 1_100,
)  # fmt: skip
HEADERS = {
    "Accept": ("*/*", "text/html", "application/json;q=0", "x", ";;,", "*/*;q=9", "a/b" * 200,
               "\xff"),
    "Accept-Encoding": ("gzip", "br, zstd", "*", "gzip;q=0, identity;q=0", "x;q=z", ","),
    "If-None-Match": ("*", '"a"', 'W/"a"', "a, b", '"' * 99, ""),
    "If-Modified-Since": ("yesterday", "Sun, 01 Mar 2026 09:00:00 GMT", ""),
    "Range": ("bytes=0-1", "bytes=5-1", "bytes=-1", "bytes=0-0,2-3,9-", "lines=1-2", "bytes=a-b"),
    "If-Range": ('"a"', "x"),
    "Last-Event-ID": ("1", "1.000000000000", "x", "0" * 500, "-1", "\xe9"),
    "Authorization": ("Bearer", "Bearer x", "Bearer wt_00_a", "Basic eDp5", "wt_1_2", "\xff"),
    "Origin": ("null", "https://e.example", "http://", "\x7f"),
    "Content-Length": ("0", "5"),
    "Host": ("", "a b", "[::1", "e.example:99999"),
    "Connection": ("keep-alive, upgrade", "close"),
    "Upgrade": ("websocket", "h2c"),
    "Access-Control-Request-Method": ("GET", "BREW"),
    "X-Forwarded-For": ("::1", "x"),
    "Transfer-Encoding": ("chunked", "x"),
    "Expect": ("100-continue", "a cake"),
    "traceparent": ("00-1-2-3", "x"),
}  # fmt: skip


@pytest.fixture
async def stand(redis: Redis, engine: Engine) -> AsyncIterator[Newsstand]:
    async with open_newsstand(redis, engine.url, history="public") as stand:
        await stand.publish(published(), posted("u1"), posted("u2"), retracted("u2"))
        await stand.publish(published(slug="gone"), killed(slug="gone"))
        yield stand


def request(draw: random.Random) -> bytes:
    """Return a request whose parts are each of some that are right and many that aren't."""
    words = [draw.choice(WORDS) for _ in range(3)]
    path = draw.choice(PATHS).replace("{e}", draw.choice(ENDINGS))
    query = draw.choice(QUERIES)
    for place, word in enumerate(words):
        path, query = (part.replace(f"{{{place}}}", word) for part in (path, query))
    target = f"{path}?{query}" if query else path
    names = draw.sample(sorted(HEADERS), draw.choice((0, 1, 1, 2, 3)))
    headers = {"Host": "localhost"} | {name: draw.choice(HEADERS[name]) for name in names}
    lines = [
        f"{draw.choice(METHODS)} {target} HTTP/1.1",
        *(f"{n}: {v}" for n, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + b"12345"


async def head_of(port: int, sent: bytes) -> bytes:
    """Send a request, and return the head of what comes; a stream isn't waited for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            return head if b" 100 " not in head[:14] else await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def test_no_request_is_a_fault_of_ours_or_goes_without_an_answer(stand):
    statuses: Counter[int] = Counter()
    for start in range(0, REQUESTS, AT_ONCE):
        sent = [request(random.Random(number)) for number in range(start, start + AT_ONCE)]
        heads = await asyncio.gather(*(head_of(stand.port, each) for each in sent))
        for asked, head in zip(sent, heads, strict=True):
            status = int(head.split()[1])
            statuses[status] += 1
            assert status < 500, (asked, head)
            # What is no HTTP is refused before it is ours to answer
            if b"Invalid HTTP" not in head and status != 400:
                assert b"content-security-policy" in head.lower(), (asked, head)

    # Some of all kinds were among them, and who asks rightly is answered as ever
    assert statuses.keys() >= {200, 400, 404, 410}
    assert (await stand.get(f"/articles/{SLUG}.json")).status_code == 200
