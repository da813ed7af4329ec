"""What was taken back is out of shared caches in time: real ones, by the rules of examples/."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis

from services.deliver.core.caching import LIVE_SECONDS
from shared.runtime.engine import Engine
from shared.runtime.metrics import exposition
from tests.builders import SLUG, Envelope, closed, killed, posted, published, retracted
from tests.figures import figures
from tests.integration.caches import Kind, cache
from tests.integration.newsstand import Newsstand, free_port, open_newsstand, open_stream
from tests.waiting import until

ARTICLE = f"/articles/{SLUG}"
PATHS = (ARTICLE, f"{ARTICLE}.json", f"{ARTICLE}.txt", f"{ARTICLE}.atom", f"{ARTICLE}/pages/1")
WRONG = "The mayor has resigned."
#: For a machine that is busy; the cache's own time is what is waited for.
SLACK = 5.0

KINDS = [
    pytest.param("varnish", marks=pytest.mark.varnish),
    pytest.param("nginx", marks=pytest.mark.nginx),
]


@dataclass
class Cached:
    """A deliver, and readers who come through a cache."""

    stand: Newsstand
    port: int
    http: httpx2.AsyncClient

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers=headers)

    async def shows(self, path: str, text: str) -> bool:
        """Whether a reader sees *text*; what is answered while we are away shows nothing."""
        return text in (await self.get(path)).text

    async def until_gone(self, text: str, limit: float) -> None:
        """Wait until no path shows *text*, as long as is promised."""
        for path in PATHS:
            await until(partial(self.lacks, path, text), limit)

    async def lacks(self, path: str, text: str) -> bool:
        return not await self.shows(path, text)


@pytest.fixture(params=KINDS)
async def cached(
    request: pytest.FixtureRequest, redis: Redis, engine: Engine, tmp_path: Path
) -> AsyncIterator[Cached]:
    async with (
        open_newsstand(redis, engine.url) as stand,
        reached(stand, request.param, tmp_path, free_port()) as cached,
    ):
        yield cached


@asynccontextmanager
async def reached(stand: Newsstand, kind: Kind, folder: Path, port: int) -> AsyncIterator[Cached]:
    """Put a cache before *stand*, on *port*."""
    base = f"http://127.0.0.1:{port}"
    with cache(kind, folder, stand.port, port):
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=20) as http:
            cached = Cached(stand, port, http)
            await until(lambda: _answers(cached), 60.0)
            yield cached


async def _answers(cached: Cached) -> bool:
    with suppress(httpx2.TransportError):
        return (await cached.get("/healthz")).status_code == 200
    return False


async def kept(cached: Cached, *more: Envelope) -> None:
    """Publish what will be taken back, and see that the cache has it."""
    await cached.stand.publish(published(), posted("u1", WRONG), *more)
    for path in PATHS:
        assert await cached.shows(path, WRONG), path


async def test_what_was_retracted_is_gone_within_the_promised_time(cached):
    await kept(cached)

    await cached.stand.publish(retracted("u1"))

    await cached.until_gone(WRONG, LIVE_SECONDS + SLACK)
    assert all([(await cached.get(path)).status_code == 200 for path in PATHS])


async def test_a_killed_article_is_410_within_the_promised_time_and_stays_so(cached):
    await kept(cached)

    await cached.stand.publish(killed("Legal advice."))

    await cached.until_gone(WRONG, LIVE_SECONDS + SLACK)
    await cached.stand.stop()
    for path in PATHS:
        # and while nobody can be asked, too
        assert not await cached.shows(path, WRONG)
    assert (await cached.get(ARTICLE)).status_code == 410


async def test_while_we_are_away_nothing_is_shown_for_longer_than_that(cached):
    # given a retraction that no cache can hear of
    await kept(cached)
    await cached.stand.publish(retracted("u1"))

    # when deliver dies
    await cached.stand.stop()

    # then the text goes all the same, and doesn't come back
    await cached.until_gone(WRONG, LIVE_SECONDS + SLACK)
    for path in PATHS:
        answer = await cached.get(path)
        assert answer.status_code in (502, 503, 504), path


@pytest.mark.varnish
async def test_a_cache_that_is_told_shows_at_once_what_is_now(redis, engine, tmp_path):
    # given articles that a cache keeps for half a minute, and a deliver that knows the cache
    port = free_port()
    told = (f"http://127.0.0.1:{port}/",)
    async with (
        open_newsstand(redis, engine.url, purge_url=told) as stand,
        reached(stand, "varnish", tmp_path, port) as cached,
    ):
        other = "/articles/ferry-strike"
        await stand.publish(published("Ferries strike", slug="ferry-strike"))
        await stand.publish(closed(slug="ferry-strike"))
        await kept(cached, closed())
        await until(lambda: cached.shows(other, "Harbour"), SLACK)

        # when an update is retracted, nobody sees it again
        await stand.publish(retracted("u1"))
        await cached.until_gone(WRONG, SLACK)

        # and when all is killed, nobody sees that it was there
        await stand.publish(killed("Legal advice."))
        await until(partial(cached.lacks, other, "Harbour"), SLACK)
        assert [(await cached.get(path)).status_code for path in PATHS] == [410] * len(PATHS)


async def test_readers_get_what_deliver_says_in_their_coding_and_form(cached):
    await cached.stand.publish(published(body="It is open, and cars wait. " * 20))
    for path in PATHS[:-1]:
        for coding in ("br", "gzip", "identity"):
            here = await cached.get(path, **{"accept-encoding": coding})
            there = await cached.stand.get(path, accept_encoding=coding)
            assert here.content == there.content
            assert here.headers["etag"] == there.headers["etag"], path
            assert here.headers.get("content-encoding") == there.headers.get("content-encoding")
            etag = here.headers["etag"]
            again = await cached.get(path, **{"accept-encoding": coding, "if-none-match": etag})
            assert again.status_code == 304
    as_json = await cached.get(ARTICLE, accept="application/json")
    assert as_json.headers["content-type"] == "application/json"
    assert (await cached.get(ARTICLE)).headers["content-type"].startswith("text/html")


async def test_many_readers_are_one_question(cached):
    # given what the cache has just let go of, or never had
    await cached.stand.publish(published())

    answered = ("writethru_answers_total", ("html", "200"))

    before = figures(exposition("deliver")).get(answered, 0)
    answers = await asyncio.gather(*(cached.get(ARTICLE) for _ in range(40)))

    assert {answer.status_code for answer in answers} == {200}
    assert figures(exposition("deliver"))[answered] == before + 1


async def test_changes_reach_readers_of_a_stream_at_once(cached):
    await cached.stand.publish(published())
    stream = await open_stream(cached.port, f"{ARTICLE}/live?since=1")
    try:
        await cached.stand.publish(posted("u1", "Ferries sail."))
        event = await stream.event()
    finally:
        stream.close()
    assert event is not None
    assert event.data["changes"][0]["update"]["text"] == "Ferries sail."
