"""Caches are told of each change, by one process, whatever becomes of either."""

from __future__ import annotations

import asyncio
from collections import Counter

from redis.asyncio import Redis

from shared.runtime.engine import Engine
from shared.runtime.outlet_keys import PurgeKeys
from tests.builders import SLUG, killed, posted, published, retracted
from tests.integration.newsstand import Newsstand, open_newsstand
from tests.integration.receiver import Receiver, receiving
from tests.waiting import until

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"


def told(cache: Receiver) -> Counter[str]:
    """Count how often the cache was told of each key."""
    return Counter(key for call in cache.calls for key in call.headers["xkey-purge"].split(" "))


def at(cache: Receiver) -> tuple[str, ...]:
    return (f"http://127.0.0.1:{cache.port}/",)


async def figure(stand: Newsstand, name: str) -> str:
    """Return what readyz says of a check whose name begins so."""
    checks = (await stand.get("/readyz")).json()["checks"]
    return str(next(each["detail"] for key, each in checks.items() if key.startswith(name)))


async def test_a_cache_is_told_of_a_change_and_twice_of_what_was_taken_back(
    redis: Redis, engine: Engine
) -> None:
    async with (
        receiving(answer=OK) as cache,
        open_newsstand(redis, engine.url, purge_url=at(cache), purge_token="word") as stand,
    ):
        # Given an article that readers have
        await stand.publish(published(), posted("u1", "It opened."))
        await until(lambda: told(cache)[f"wt-{SLUG}"] >= 1)
        assert cache.calls[0].method == "PURGE"
        assert cache.calls[0].headers["authorization"] == "bearer word"
        assert told(cache)["wt-latest"] >= 1
        assert told(cache)["wt-beside"] == 0
        cache.calls.clear()

        # When an update is retracted, then the article killed
        await stand.publish(retracted("u1", "It did not."))
        await until(lambda: told(cache)[f"wt-{SLUG}"] == 2)
        cache.calls.clear()
        await stand.publish(killed("It was not ours."))

        # Then the cache is told at once, and once more, of all pages that show its headline
        await until(lambda: told(cache)["wt-beside"] == 2)
        assert await figure(stand, "cache ") == "the cache has let go of what has changed"


async def test_a_cache_that_fails_is_asked_again_and_holds_nobody_up(
    redis: Redis, engine: Engine
) -> None:
    async with receiving(answer=BUSY) as slow, receiving(answer=OK) as quick:
        urls = (*at(slow), *at(quick))
        async with open_newsstand(redis, engine.url, purge_url=urls) as stand:
            # Given two caches, one of which fails
            await stand.publish(published())
            await until(lambda: told(quick)[f"wt-{SLUG}"] == 1)
            await until(lambda: len(slow.calls) >= 2)
            assert await figure(stand, f"cache {PurgeKeys(urls[0]).name}") != ""
            await until(lambda: _says(stand, urls[0], "it answers 503"))
            assert (await stand.get("/readyz")).status_code == 200

            # When it recovers
            slow.calls.clear()
            slow.answer = OK

            # Then it has what it missed, and the other was told once
            await until(lambda: _says(stand, urls[0], "has let go"))
            assert told(slow)[f"wt-{SLUG}"] >= 1
            assert told(quick)[f"wt-{SLUG}"] == 1


async def _says(stand: Newsstand, url: str, what: str) -> bool:
    return what in await figure(stand, f"cache {PurgeKeys(url).name}")


async def test_of_two_processes_one_tells_a_cache_and_the_other_goes_on_where_it_was(
    redis: Redis, engine: Engine
) -> None:
    async with (
        receiving(answer=OK) as cache,
        open_newsstand(redis, engine.url, purge_url=at(cache)) as first,
    ):
        await first.publish(published())
        await until(lambda: told(cache)[f"wt-{SLUG}"] == 1)
        async with open_newsstand(redis, engine.url, purge_url=at(cache)) as second:
            # Given a second process, beside one whose turn it is
            await until(lambda: _says(second, at(cache)[0], "another process"))
            await first.publish(posted("u1", "It opened."))
            await until(lambda: told(cache)[f"wt-{SLUG}"] == 2)

            # When the first one ends, and what changes meanwhile is told by nobody
            await first.stop()
            first.serving = asyncio.create_task(asyncio.sleep(0))
            await second.publish(posted("u2", "It is busy."))

            # Then the second one tells it
            await until(lambda: told(cache)[f"wt-{SLUG}"] == 3)
            place = await redis.hgetall(PurgeKeys(at(cache)[0]).places)
            assert place


async def test_a_change_that_nobody_was_there_to_tell_is_told_by_who_comes_next(
    redis: Redis, engine: Engine
) -> None:
    async with receiving(answer=OK) as cache:
        async with open_newsstand(redis, engine.url, purge_url=at(cache)) as stand:
            await stand.publish(published())
            await until(lambda: told(cache)[f"wt-{SLUG}"] == 1)
            newsroom, store = stand.newsroom, stand.store
        await newsroom.file(posted("u1", "It opened."))
        await store.render(SLUG)

        async with open_newsstand(redis, engine.url, purge_url=at(cache)):
            await until(lambda: told(cache)[f"wt-{SLUG}"] == 2)
